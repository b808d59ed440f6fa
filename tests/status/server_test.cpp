// A real server on loopback and clients that do not behave.
#include "vsr/status/server.hpp"

#include "limits.hpp"
#include "raw_client.hpp"
#include "vsr/base/error.hpp"
#include "vsr/base/format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace vsr::status {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using test::ask;
using test::get;
using test::HttpAnswer;
using test::RawClient;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Whether `condition` comes to hold; a machine that does nothing else has it at once.
template <typename Condition>
bool comes(const Condition& condition) {
  const auto until = steady_clock::now() + seconds(20);
  while (!condition()) {
    if (steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return true;
}

RunStatus a_run() {
  RunStatus run;
  run.state = "working";
  run.film = "film.mkv";
  run.program_version = "0.5";
  run.frames_total = 960;
  run.segments_total = 2;
  run.segments.push_back(
      {.index = 0, .begin = 0, .end = 480, .state = "upscaled", .has_preview = true});
  run.segments.push_back({.index = 1, .begin = 480, .end = 960, .state = "upscaling", .rank = 0});
  run.ranks.push_back({.rank = 0, .host = "a", .state = "working"});
  return run;
}

class StatusServer : public testing::Test {
 protected:
  void start(const std::string& token = "", const std::string& listen = "127.0.0.1:0") {
    Content content;
    content.snapshot = [this] {
      ++snapshots;
      if (fails) throw std::runtime_error("secret words");
      const std::scoped_lock lock(mutex);
      return run;
    };
    content.preview = [this](int segment, const std::string& kind) -> std::optional<std::string> {
      {
        const std::scoped_lock lock(mutex);
        asked.push_back(format("{} {}", segment, kind));
      }
      if (fails) throw std::runtime_error("secret words");
      if (segment > 0) return std::nullopt;
      return "\xff\xd8 " + kind + std::string(picture_size, '.');
    };
    server = std::make_unique<Server>(ServerOptions{listen, token}, std::move(content), limits);
    const std::string& url = server->url();
    port = std::stoi(url.substr(url.rfind(':') + 1));
  }

  RawClient following(const std::string& more = "", int receive_buffer = 0) {
    RawClient client(port, receive_buffer);
    client.send(get("/api/events", more));
    return client;
  }

  Limits limits;
  std::atomic<int> snapshots{0};
  std::atomic<bool> fails{false};
  std::size_t picture_size = 10;
  std::mutex mutex;
  RunStatus run = a_run();
  std::vector<std::string> asked;
  std::unique_ptr<Server> server;
  int port = 0;
};

TEST_F(StatusServer, ServesAPageThatNeedsNothingElse) {
  start();
  EXPECT_THAT(server->url(), StartsWith("http://127.0.0.1:"));
  const HttpAnswer page = ask(port, get("/"));
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.field("Content-Type"), "text/html; charset=utf-8");
  EXPECT_THAT(page.body, HasSubstr("</html>"));
  EXPECT_THAT(page.field("Content-Security-Policy"),
              StartsWith("default-src 'none'; style-src 'sha256-"));
  EXPECT_THAT(page.field("Content-Security-Policy"), Not(HasSubstr("unsafe")));
  EXPECT_EQ(page.field("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(page.field("Referrer-Policy"), "no-referrer");
  EXPECT_EQ(page.field("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(snapshots, 0) << "the page holds no data";
}

TEST_F(StatusServer, TellsOfTheRun) {
  limits.snapshot = seconds(60);
  start();
  const HttpAnswer answer = ask(port, get("/api/run"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Content-Type"), "application/json");
  EXPECT_EQ(answer.field("Cache-Control"), "no-store");
  EXPECT_EQ(run_status_from_json(answer.body).segments, run.segments);
  const HttpAnswer metrics = ask(port, get("/metrics?x=y"));
  EXPECT_EQ(metrics.field("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(metrics.body, HasSubstr("vsr_dist_film_frames 960\n"));
  EXPECT_EQ(ask(port, get("/healthz")).body, "ok\n");
  EXPECT_EQ(ask(port, get("/favicon.ico")).status, 204);
  EXPECT_EQ(snapshots, 1) << "one for all, within that time";
}

TEST_F(StatusServer, PreviewsAreNamedExactly) {
  start();
  const HttpAnswer before = ask(port, get("/preview/0/worst-detail-before.jpg"));
  EXPECT_EQ(before.status, 200);
  EXPECT_EQ(before.field("Content-Type"), "image/jpeg");
  EXPECT_THAT(before.body, HasSubstr("worst-detail-before"));
  EXPECT_EQ(ask(port, get("/preview/latest.jpg")).status, 200);
  EXPECT_EQ(ask(port, get("/preview/7/after.jpg")).status, 404);
  EXPECT_THAT(asked, testing::ElementsAre("0 worst-detail-before", "-1 after", "7 after"));
  asked.clear();
  for (const char* path : {"/preview/",
                           "/preview",
                           "/preview/0",
                           "/preview/0/",
                           "/preview/0/.jpg",
                           "/preview//after.jpg",
                           "/preview/0/after.png",
                           "/preview/0/after",
                           "/preview/0/after.jpg/",
                           "/preview/0//after.jpg",
                           "/preview/00/after.jpg",
                           "/preview/-1/after.jpg",
                           "/preview/+1/after.jpg",
                           "/preview/1e1/after.jpg",
                           "/preview/0x0/after.jpg",
                           "/preview/99999999999999999999/after.jpg",
                           "/preview/2147483648/after.jpg",
                           "/preview/0/latest.jpg",
                           "/preview/latest/after.jpg",
                           "/preview/0/AFTER.jpg",
                           "/preview/../preview/0/after.jpg",
                           "/preview/0/../../../../etc/passwd",
                           "/preview/0/..%2f..%2f..%2fetc%2fpasswd",
                           "/preview/%30/after.jpg",
                           "/preview/0/%2e%2e/after.jpg",
                           "/preview/0/after.jpg%00.png",
                           "/preview/..%5c..%5cwindows/after.jpg",
                           "/preview/0\\after.jpg",
                           "//preview/0/after.jpg",
                           "/./preview/0/after.jpg",
                           "/..",
                           "/%2e%2e/etc/passwd",
                           "/....//etc/passwd"}) {
    EXPECT_EQ(ask(port, get(path)).status, 404) << path;
  }
  EXPECT_THAT(asked, testing::IsEmpty());
}

TEST_F(StatusServer, APictureIsSentOnlyIfItIsNew) {
  start();
  const std::string tag = ask(port, get("/preview/0/after.jpg")).field("ETag");
  ASSERT_NE(tag, "");
  const HttpAnswer same = ask(port, get("/preview/0/after.jpg", "If-None-Match: " + tag + "\r\n"));
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.field("ETag"), tag);
  EXPECT_EQ(ask(port, get("/preview/0/before.jpg", "If-None-Match: " + tag + "\r\n")).status, 200);
}

TEST_F(StatusServer, RefusesWhatIsNoReading) {
  start();
  for (const char* method :
       {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "FROB"}) {
    const HttpAnswer answer =
        ask(port, format("{} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method));
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.field("Allow"), "GET, HEAD") << method;
  }
  EXPECT_EQ(ask(port, get("/nothing")).status, 404);
  EXPECT_EQ(ask(port, get("/", "Content-Length: 1\r\n") + "x").status, 413);
  EXPECT_EQ(ask(port, get("/", "Content-Length: 99999999999\r\n")).status, 413);
  EXPECT_EQ(ask(port, get("/", "Transfer-Encoding: chunked\r\n") + "1\r\nx\r\n0\r\n\r\n").status,
            413);
}

TEST_F(StatusServer, RefusesWhatIsNoHttp) {
  start();
  for (const std::string request :
       {"\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\n: empty\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nX: \x01\r\n\r\n",
        "GET /\x7f HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        "GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n"}) {
    EXPECT_EQ(ask(port, request).status, 400) << testing::PrintToString(request);
  }
  EXPECT_EQ(ask(port, "GET / HTTP/1.0\r\n\r\n").status, 200);
}

TEST_F(StatusServer, HeadersHaveAnEnd) {
  start();
  EXPECT_EQ(ask(port, get("/", "X: " + std::string(7000, 'x') + "\r\n")).status, 200);
  EXPECT_EQ(ask(port, get("/", "X: " + std::string(9000, 'x') + "\r\n")).status, 431);
  EXPECT_EQ(ask(port, get("/" + std::string(100'000, 'x'))).status, 431);
  std::string many;
  for (int i = 0; i < 3000; ++i) many += "A: b\r\n";
  EXPECT_EQ(ask(port, get("/", many)).status, 431);
}

TEST_F(StatusServer, OnLoopbackItGoesByLocalNamesAlone) {
  start();
  const auto by_name = [&](const std::string& host) {
    return ask(port, format("GET /api/run HTTP/1.1\r\nHost: {}\r\n\r\n", host)).status;
  };
  for (const char* host : {"localhost", "localhost:9000", "127.0.0.1:8080", "[::1]", "[::1]:1"}) {
    EXPECT_EQ(by_name(host), 200) << host;
  }
  for (const char* host : {"evil.example",
                           "evil.example:8080",
                           "localhost.evil.example",
                           "127.0.0.1.evil.example",
                           "localhost:x",
                           "localhost:",
                           "127.0.0.11",
                           "0.0.0.0",
                           "::1"}) {
    EXPECT_EQ(by_name(host), 421) << host;
  }
}

TEST_F(StatusServer, TheAddressThatItListensOnIsANameOfIts) {
  start("", "127.0.0.2:0");
  const auto by_name = [&](const std::string& host) {
    return ask(port, format("GET /api/run HTTP/1.1\r\nHost: {}\r\n\r\n", host), "127.0.0.2");
  };
  EXPECT_EQ(by_name(format("127.0.0.2:{}", port)).status, 200);
  EXPECT_EQ(by_name("localhost").status, 200);
  const HttpAnswer other = by_name("127.0.0.3");
  EXPECT_EQ(other.status, 421);
  EXPECT_THAT(other.body, HasSubstr("127.0.0.2"));
}

const std::string kToken = "0123456789abcdef";

TEST_F(StatusServer, ATokenIsAskedOfEveryOneWhoWantsData) {
  start(kToken);
  for (const char* path :
       {"/api/run", "/api/events", "/metrics", "/preview/latest.jpg", "/preview/0/after.jpg"}) {
    const auto with = [&](const std::string& lines) { return ask(port, get(path, lines)); };
    EXPECT_EQ(with("Authorization: Bearer " + kToken + "\r\n").status, 200) << path;
    EXPECT_EQ(with("authorization: bearer " + kToken + "\r\n").status, 200) << path;
    for (const std::string& lines : std::vector<std::string>{
             "",
             "Authorization: Bearer\r\n",
             "Authorization: Bearer \r\n",
             "Authorization: " + kToken + "\r\n",
             "Authorization: Basic " + kToken + "\r\n",
             "Authorization: Bearer " + kToken.substr(1) + "\r\n",
             "Authorization: Bearer " + kToken.substr(0, 15) + "g\r\n",
             "Authorization: Bearer " + kToken + "0\r\n",
             "Authorization: Bearer " + std::string(5000, '0') + "\r\n",
             "Authorization: Bearer x\r\nAuthorization: Bearer " + kToken + "\r\n"}) {
      const HttpAnswer answer = with(lines);
      EXPECT_EQ(answer.status, 401) << path << lines;
      EXPECT_EQ(answer.field("WWW-Authenticate"), "Bearer");
    }
  }
  EXPECT_EQ(ask(port, get("/api/run?token=" + kToken)).status, 401);
  EXPECT_EQ(ask(port, get("/")).status, 200) << "it holds no data";
  EXPECT_EQ(ask(port, get("/healthz")).status, 200);
  EXPECT_EQ(ask(port, "GET /healthz HTTP/1.1\r\nHost: pod.example\r\n\r\n").status, 200)
      << "with a token by any name";
}

TEST_F(StatusServer, NothingButLoopbackGoesWithoutAToken) {
  for (const char* listen : {"0.0.0.0:0", "[::]:0", "192.0.2.1:80"}) {
    EXPECT_THROW(start("", listen), Error) << listen;
    EXPECT_THROW(start("short", listen), Error) << listen;
  }
  EXPECT_THROW(start("with a blank in it"), Error);
  EXPECT_THROW(start("with\nan end of line"), Error);
  start(kToken, "0.0.0.0:0");
  EXPECT_EQ(ask(port, get("/api/run")).status, 401);
}

TEST_F(StatusServer, AnAddressThatIsNoneIsRefused) {
  for (const char* listen : {"",
                             ":",
                             ":80",
                             "127.0.0.1",
                             "127.0.0.1:",
                             "127.0.0.1:65536",
                             "127.0.0.1:-1",
                             "127.0.0.1:80x",
                             "::1:80",
                             "[127.0.0.1]:80",
                             "[::1]",
                             "example.org:80",
                             "127.1:80 "}) {
    try {
      start("", listen);
      ADD_FAILURE() << listen;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage) << listen;
    }
  }
  start();
  try {
    const Server second({format("127.0.0.1:{}", port), ""}, {});
    ADD_FAILURE() << "two on one port";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kStorage);
    EXPECT_THAT(error.what(), HasSubstr("in use"));
  }
}

TEST_F(StatusServer, ServesIpv6) {
  try {
    start("", "[::1]:0");
  } catch (const Error& error) {
    GTEST_SKIP() << "no IPv6 here: " << error.what();
  }
  EXPECT_THAT(server->url(), StartsWith("http://[::1]:"));
  RawClient client(port, 0, "::1");
  client.send("GET /healthz HTTP/1.1\r\nHost: [::1]\r\n\r\n");
  EXPECT_EQ(client.answer().status, 200);
}

TEST_F(StatusServer, HeadIsGetWithoutABody) {
  start();
  for (const char* path : {"/", "/api/run", "/metrics", "/preview/0/after.jpg"}) {
    const HttpAnswer whole = ask(port, get(path));
    RawClient client(port);
    client.send(format("HEAD {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path));
    const HttpAnswer head = client.answer(true);
    EXPECT_EQ(head.status, 200) << path;
    EXPECT_EQ(head.field("Content-Length"), whole.field("Content-Length")) << path;
    std::string rest;
    EXPECT_TRUE(client.closes(5, &rest));
    EXPECT_EQ(rest, "") << path;
  }
  EXPECT_EQ(ask(port, "HEAD /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
}

TEST_F(StatusServer, RequestsMayComeTogetherOrInPieces) {
  start();
  RawClient client(port);
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += get(i % 2 == 0 ? "/healthz" : "/nothing");
  client.send(requests);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.answer().status, i % 2 == 0 ? 200 : 404) << i;
  for (const char c : get("/healthz")) {
    client.send({&c, 1});
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(client.answer().status, 200);
}

TEST_F(StatusServer, ARequestThatTricklesInIsGivenUp) {
  limits.request = milliseconds(300);
  start();
  RawClient silent(port);
  RawClient slow(port);
  const auto begin = steady_clock::now();
  slow.send("GET / HTTP/1.1\r\nHost: localhost\r\n");
  EXPECT_TRUE(comes([&] { return !slow.send("X: y\r\n"); }));
  EXPECT_LT(steady_clock::now() - begin, Limits{}.request) << "each byte brings a new respite";
  EXPECT_TRUE(slow.closes(5));
  EXPECT_TRUE(silent.closes(5));
}

TEST_F(StatusServer, AnIdleConnectionIsClosed) {
  limits.idle = milliseconds(200);
  start();
  RawClient client(port);
  client.send(get("/healthz"));
  EXPECT_EQ(client.answer().status, 200);
  EXPECT_TRUE(client.closes(10));
}

TEST_F(StatusServer, ConnectionsAreCounted) {
  start();
  std::vector<RawClient> clients;
  for (int i = 0; i < 200; ++i) clients.emplace_back(port);
  int served = 0;
  int refused = 0;
  for (RawClient& client : clients) {
    client.send(get("/healthz"));
    const int status = client.answer().status;
    (status == 200 ? served : refused) += 1;
    EXPECT_TRUE(status == 200 || status == 503) << status;
  }
  EXPECT_EQ(served, limits.connections_of_address);
  EXPECT_EQ(refused, 200 - limits.connections_of_address);
  clients.clear();
  EXPECT_TRUE(comes([&] { return ask(port, get("/healthz")).status == 200; }))
      << "does not serve again";
}

TEST_F(StatusServer, WhoAsksTooOftenWaits) {
  limits.requests_at_once = 20;
  limits.requests_per_s = 2;
  start();
  RawClient client(port);
  const auto ask_again = [&] {
    client.send(get("/healthz"));
    return client.answer();
  };
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask_again().status, 200) << i;
  HttpAnswer answer;
  for (int i = 0; i < 200 && answer.status != 429; ++i) answer = ask_again();
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.field("Retry-After"), "2");
  EXPECT_TRUE(comes([&] { return ask_again().status == 200; }));
}

TEST_F(StatusServer, AllTogetherMayAskOnlySoOften) {
  limits.requests_of_all_at_once = 5;
  limits.requests_of_all_per_s = 0.1;
  start();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask(port, get("/healthz")).status, 200);
  EXPECT_EQ(ask(port, get("/healthz")).status, 429);
}

TEST_F(StatusServer, WhoConnectsTooOftenWaits) {
  limits.connections_at_once = 5;
  limits.connections_per_s = 20;
  start();
  const auto begin = steady_clock::now();
  for (int i = 0; i < 15; ++i) EXPECT_EQ(ask(port, get("/healthz")).status, 200);
  EXPECT_GT(steady_clock::now() - begin, milliseconds(300));
}

TEST_F(StatusServer, EventsComeAtOnceAndWhenSomethingChanged) {
  limits.snapshot = milliseconds(50);
  limits.heartbeat = milliseconds(300);
  start();
  RawClient client = following();
  const std::string head = client.until("\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Type: text/event-stream\r\n"));
  EXPECT_THAT(client.until("\n\n"),
              StartsWith("event: run\ndata: {\"version\":1,\"state\":\"working\""));
  {
    const std::scoped_lock lock(mutex);
    run.state = "joining";
  }
  // The first may be told twice, and heartbeats come between where all is slow.
  EXPECT_TRUE(comes(
      [&] { return client.until("\n\n").find("\"state\":\"joining\"") != std::string::npos; }));
  EXPECT_EQ(client.until("\n\n"), ":\n\n") << "nothing changed, but the connection lives";
}

TEST_F(StatusServer, AStatusThatCannotBeHadIsToldAndHarmsNobody) {
  limits.snapshot = milliseconds(50);
  start();
  fails = true;
  RawClient client = following();
  client.until("\r\n\r\n");
  for (const char* path : {"/api/run", "/metrics", "/preview/0/after.jpg"}) {
    const HttpAnswer answer = ask(port, get(path));
    EXPECT_EQ(answer.status, 503) << path;
    EXPECT_THAT(answer.body, Not(HasSubstr("secret"))) << path;
  }
  EXPECT_EQ(ask(port, get("/healthz")).status, 200);
  fails = false;
  EXPECT_THAT(client.until("\n\n"), StartsWith("event: run\n"));
  EXPECT_EQ(ask(port, get("/api/run")).status, 200);
}

TEST_F(StatusServer, AsksForNoStatusWhenNobodyWantsIt) {
  limits.snapshot = milliseconds(20);
  limits.heartbeat = milliseconds(20);  // by which it notices that the client is gone
  start();
  following().until("\n\n");
  EXPECT_TRUE(comes([&] {
    const int before = snapshots;
    std::this_thread::sleep_for(10 * limits.snapshot);
    return snapshots == before;
  }));
}

TEST_F(StatusServer, ClientsThatDieAmidEventsAreForgotten) {
  limits.snapshot = milliseconds(20);
  start();
  for (int i = 0; i < 300; ++i) {
    RawClient client = following();
    if (i % 3 == 0) client.until("\n\n");
    client.abort();
  }
  {
    const std::scoped_lock lock(mutex);
    run.state = "joining";
  }
  EXPECT_TRUE(comes([&] {  // until their connections are free
    RawClient client = following();
    client.until("\r\n\r\n");
    return client.until("\n\n").find("joining") != std::string::npos;
  }));
}

// Each event is another one and large, so that the kernel's buffers fill.
TEST_F(StatusServer, AClientThatDoesNotReadIsDroppedAndHoldsUpNobody) {
  limits.snapshot = milliseconds(10);
  limits.stalled = milliseconds(500);
  run.message = std::string(100'000, 'm');
  start();
  RawClient stuck = following("", 4096);
  RawClient reader = following();
  for (int i = 0; i < 100; ++i) {
    {
      const std::scoped_lock lock(mutex);
      run.elapsed_s = i;
    }
    ASSERT_THAT(reader.until("\n\n"), HasSubstr("data: ")) << "an event in 5 s";
  }
  std::string rest;
  EXPECT_TRUE(stuck.closes(20, &rest));
  EXPECT_LT(rest.size(), 5 * 100'000U) << "events are replaced, not queued";
}

TEST_F(StatusServer, AnswersOnTheirWayHaveAnEnd) {
  picture_size = 1 << 20;
  limits.held_bytes = 8 << 20;
  limits.send_buffer = 4096;
  start();
  std::vector<RawClient> stuck;
  for (int i = 0; i < 20; ++i) {
    stuck.emplace_back(port, 4096);
    stuck.back().send(get("/preview/0/after.jpg"));
  }
  EXPECT_TRUE(comes([&] {
    RawClient client(port);
    client.send("HEAD /preview/0/after.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return client.answer(true).status == 503;
  }));
  stuck.clear();
  EXPECT_TRUE(comes([&] { return ask(port, get("/preview/0/after.jpg")).status == 200; }));
}

// Within a second where the machine has time for it.
TEST_F(StatusServer, EndsSoonWhateverClientsDo) {
  limits.send_buffer = 4096;
  limits.request = limits.idle;
  limits.farewell = seconds(1);
  picture_size = 4 << 20;
  start();
  std::vector<RawClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(port);
    clients.emplace_back(port).send("GET / HT");
    clients.emplace_back(port, 4096).send(get("/preview/0/after.jpg"));
    clients.emplace_back(port).send(get("/api/events"));
  }
  RawClient watcher = following();
  watcher.until("\n\n");
  {
    const std::scoped_lock lock(mutex);
    run.state = "done";
  }
  const auto begin = steady_clock::now();
  server.reset();
  EXPECT_LT(steady_clock::now() - begin, seconds(10)) << "some client's limit was waited for";
  std::string rest;
  EXPECT_TRUE(watcher.closes(5, &rest));
  EXPECT_THAT(rest, HasSubstr("\"state\":\"done\"")) << "who watched is told how it ended";
  EXPECT_THROW(RawClient{port}, std::runtime_error);
}

}  // namespace
}  // namespace vsr::status
