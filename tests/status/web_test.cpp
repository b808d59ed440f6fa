#include "web.hpp"

#include "vsr/base/error.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vsr::status {
namespace {

TEST(WebPages, NeedNoOtherFile) {
  for (const char* name : {"page.html", "report.html"}) {
    const std::string page = whole_page(name);
    EXPECT_EQ(page.find("<!-- include"), std::string::npos) << name;
    EXPECT_NE(page.find("<style>"), std::string::npos) << name;
    EXPECT_NE(page.find("<script>"), std::string::npos) << name;
    EXPECT_NE(page.find("</html>"), std::string::npos) << name;
  }
}

TEST(WebPages, AFileThatIsNotThereIsNamed) { EXPECT_THROW(web_file("../CMakeLists.txt"), Error); }

}  // namespace
}  // namespace vsr::status
