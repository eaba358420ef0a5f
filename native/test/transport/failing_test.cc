// Every n-th system call and every n-th allocation fails. What comes back is a prefix of what was sent, those
// who are not hit are served, and everything is given back.
#include "echo.hpp"
#include <csignal>
#include <doctest/doctest.h>

using namespace framewire;
using namespace framewire::test;

namespace {

// Codes that a failing system can lead to; nothing else may be told of a peer that does as it should.
bool is_documented(FaultCode code) {
  return code == FaultCode::lost || code == FaultCode::write_failed || code == FaultCode::out_of_memory ||
         code == FaultCode::memory_budget || code == FaultCode::truncated;
}

struct Result {
  size_t whole = 0, cut = 0, wrong = 0, failures = 0, undocumented = 0, live = 0;
};

Result serve_under(unsigned every_call, unsigned every_allocation, int count) {
  const std::vector<uint8_t> stream = mixed_stream();
  Folder folder;
  Result result;
  EchoHub hub;
  REQUIRE(hub.initialised == 0);
  REQUIRE(hub.listen(folder.path()) == 0);
  Failing::arm(every_call, every_allocation);
  for (int i = 0; i < count; i++) {
    RawPeer peer(folder.path());
    REQUIRE(peer.connected);
    peer.to_write = stream;
    // After accepting failed, the listener rests for a tenth of a second; more than that is a peer forgotten.
    const uint64_t limit = uv_hrtime() + 2'000'000'000u;
    while (!peer.over && peer.received.size() < stream.size() && uv_hrtime() < limit) {
      hub.step();
      if (!peer.step()) usleep(50);
    }
    bool is_prefix = peer.received.size() <= stream.size() &&
                     std::equal(peer.received.begin(), peer.received.end(), stream.begin());
    if (!is_prefix || uv_hrtime() >= limit)
      result.wrong++;
    else if (peer.received.size() == stream.size())
      result.whole++;
    else
      result.cut++;
  }
  result.failures = Failing::failures();
  Failing::disarm();
  for (auto &[code, times] : hub.faults)
    if (!is_documented(code)) result.undocumented += times;
  const uint64_t limit = uv_hrtime() + 5'000'000'000u;
  while (hub.hub().live_connections() > 0 && uv_hrtime() < limit) hub.step();
  CHECK(hub.hub().live_connections() == 0);
  CHECK(hub.config->budget.held == 0);
  result.live = hub.large.live;
  return result;
}

// Connections of our own to a peer that sends the stream and wants it back; every other one over TCP.
Result ask_under(unsigned every_call, unsigned every_allocation, int count) {
  const std::vector<uint8_t> stream = mixed_stream();
  Folder folder;
  Result result;
  RawListener on_path(folder.path()), on_port;
  REQUIRE(on_path.listens);
  REQUIRE(on_port.listens);
  EchoHub hub;
  REQUIRE(hub.initialised == 0);
  Failing::arm(every_call, every_allocation);
  for (int i = 0; i < count; i++) {
    const bool is_tcp = i % 2 == 1;
    const size_t closed = hub.closed;
    const int status = is_tcp ? hub.connect(on_port.address) : hub.connect(folder.path());
    std::unique_ptr<RawPeer> peer;
    const uint64_t limit = uv_hrtime() + 2'000'000'000u;
    while ((status == 0 || hub.hub().live_connections() > 0) && uv_hrtime() < limit) {
      hub.step();
      if (peer == nullptr) {
        const int fd = is_tcp ? on_port.accept() : on_path.accept();
        Spared spared;
        if (fd >= 0) peer = std::make_unique<RawPeer>(fd);
        if (fd >= 0) peer->to_write = stream;
      } else if (!peer->step()) {
        usleep(50);
      }
      const bool is_back = peer != nullptr && peer->received.size() >= stream.size();
      if (is_back) peer->close();
      if (hub.closed > closed && (peer == nullptr || peer->over)) break;
    }
    const std::vector<uint8_t> got = peer != nullptr ? peer->received : std::vector<uint8_t>();
    bool is_prefix = got.size() <= stream.size() && std::equal(got.begin(), got.end(), stream.begin());
    if (!is_prefix || uv_hrtime() >= limit)
      result.wrong++;
    else if (got.size() == stream.size())
      result.whole++;
    else
      result.cut++;
    // Given up before it was accepted here: not the next one's.
    for (RawListener *listener : {&on_path, &on_port})
      for (int fd = listener->accept(); fd >= 0; fd = listener->accept()) ::close(fd);
  }
  result.failures = Failing::failures();
  Failing::disarm();
  for (auto &[code, times] : hub.faults)
    if (!is_documented(code) && code != FaultCode::connect_failed) result.undocumented += times;
  CHECK(hub.hub().live_connections() == 0);
  CHECK(hub.config->budget.held == 0);
  result.live = hub.large.live;
  return result;
}

void check(const Result &result, size_t count) {
  CHECK(result.wrong == 0);
  CHECK(result.undocumented == 0);
  CHECK(result.whole + result.cut == count);
  CHECK(result.failures > 0);
  CHECK(result.live == 0);
}

} // namespace

TEST_CASE("22. every n-th system call fails: replies are a prefix, and descriptors are given back") {
  std::signal(SIGPIPE, SIG_IGN);
  // libuv opens what it keeps for the process with the first loop.
  { EchoHub first; }
  const size_t before = open_descriptors();
  for (unsigned every = 3; every <= 14; every++) {
    CAPTURE(every);
    check(serve_under(every, 0, 12), 12);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("22. every n-th allocation fails: replies are a prefix, and nothing leaks") {
  const size_t before = open_descriptors();
  for (unsigned every = 1; every <= 12; every++) {
    CAPTURE(every);
    check(serve_under(0, every, 12), 12);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("22. both at once, and others are served in between") {
  size_t whole = 0;
  for (unsigned seed = 0; seed < 12; seed++) {
    CAPTURE(seed);
    const Result result = serve_under(13 + seed, 7 + seed, 12);
    check(result, 12);
    whole += result.whole;
  }
  CHECK(whole > 12);
}

TEST_CASE("22. a client's calls fail: it is told, what it echoed is a prefix, and everything is given back") {
  { EchoHub first; }
  const size_t before = open_descriptors();
  size_t whole = 0;
  for (unsigned every = 1; every <= 14; every++) {
    CAPTURE(every);
    check(ask_under(every, 0, 12), 12);
    check(ask_under(0, every, 12), 12);
    const Result both = ask_under(13 + every, 7 + every, 12);
    check(both, 12);
    whole += both.whole;
  }
  CHECK(whole > 12);
  CHECK(open_descriptors() == before);
}

TEST_CASE("22. each call of listening fails in turn, and what is left behind is nothing but the path") {
  { EchoHub first; }
  const size_t before = open_descriptors();
  for (bool by_call : {true, false}) {
    // The n-th is the first to fail, up to the n that none is left for.
    unsigned failed = 0;
    for (bool listens = false; !listens;) {
      Folder folder;
      EchoHub hub;
      REQUIRE(hub.initialised == 0);
      const unsigned nth = failed + 1;
      Failing::arm(by_call ? nth : 0, by_call ? 0 : nth);
      listens = hub.listen(folder.path()) == 0;
      const unsigned failures = Failing::failures();
      Failing::disarm();
      CHECK(failures == (listens ? 0 : 1));
      if (listens) CHECK(RawPeer(folder.path()).connected);
      failed += !listens;
    }
    CAPTURE(by_call);
    // socket, bind, listen, making its handle and starting it; the listener.
    CHECK(failed == (by_call ? 5 : 1));
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE(
    "22. each call of listening on a descriptor fails in turn, and it stays open, with the flags it had") {
  { EchoHub first; }
  const size_t before = open_descriptors();
  for (bool shared : {false, true}) {
    CAPTURE(shared);
    Folder folder;
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, folder.path().c_str(), folder.path().size());
    // As it comes from another process: it blocks, and is there behind an exec.
    const int fd = __real_socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(__real_bind(fd, reinterpret_cast<sockaddr *>(&name), sizeof name) == 0);
    const int status_flags = fcntl(fd, F_GETFL), descriptor_flags = fcntl(fd, F_GETFD);
    unsigned failed = 0;
    for (bool listens = false; !listens;) {
      EchoHub hub;
      REQUIRE(hub.initialised == 0);
      Failing::arm(failed + 1, 0);
      listens = hub.listen(fd, shared) == 0;
      Failing::disarm();
      hub.step();
      if (listens) {
        CHECK(RawPeer(folder.path()).connected);
      } else {
        CHECK(fcntl(fd, F_GETFL) == status_flags);
        CHECK(fcntl(fd, F_GETFD) == descriptor_flags);
        failed++;
      }
    }
    // Making the handle, listen, starting the handle.
    CHECK(failed == 3);
    CHECK((fcntl(fd, F_GETFD) >= 0) == shared);
    if (shared) ::close(fd);
  }
  CHECK(open_descriptors() == before);
}
