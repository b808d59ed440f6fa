// What is answered to a request, apart from how it came and how the answer goes. Private; one
// thread.
#pragma once

#include "held_bytes.hpp"
#include "limits.hpp"
#include "rate_limit.hpp"
#include "snapshots.hpp"
#include "vsr/status/server.hpp"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/status.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vsr::status {

namespace http = boost::beast::http;

using Request = http::request<http::empty_body>;

struct Answer {
  http::status status = http::status::ok;
  std::string type;
  Bytes body;
  std::vector<std::pair<std::string, std::string>> fields;  // further ones
  bool events = false;  // behind the head come events, until one side ends it
};

// One line, for people.
Answer refusal(http::status status, std::string_view why);

class Site {
 public:
  // `names`: what reached us under another one is refused, since it was not the user who asked but
  // some page in the user's browser whose name has been made to point here. None: any will do.
  Site(Content content,
       const std::string& token,
       std::vector<std::string> names,
       const Limits& limits);

  // `address`: of the client, for the rate.
  Answer answer(const Request& request, const std::string& address);

  Snapshots& snapshots() { return snapshots_; }

 private:
  bool knows_token(const Request& request) const;
  Answer route(const Request& request, std::string_view path);
  Answer page() const;
  Answer run(Bytes text, std::string_view type);
  Answer preview(const Request& request, int segment, const std::string& kind);

  Content content_;
  HeldBytes held_;
  Snapshots snapshots_;
  RateLimit rate_;
  RateLimit rate_of_all_;
  std::string token_hash_;  // empty: none is asked
  std::vector<std::string> names_;
  Bytes page_;
  std::string page_policy_;
};

}  // namespace vsr::status
