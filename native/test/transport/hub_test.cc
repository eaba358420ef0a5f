// Hub, connections and listeners with an owner that is no JavaScript.
#include "../formats.hpp"
#include "echo.hpp"
#include <csignal>
#include <doctest/doctest.h>

using namespace framewire;
using namespace framewire::test;

namespace {

template <class Done> bool run_until(EchoHub &hub, std::vector<std::unique_ptr<RawPeer>> &peers, Done done) {
  const uint64_t limit = uv_hrtime() + 10'000'000'000u;
  while (!done()) {
    if (uv_hrtime() > limit) return false;
    hub.step();
    for (auto &peer : peers) peer->step();
  }
  return true;
}

std::vector<std::unique_ptr<RawPeer>> connect_peers(const Folder &folder, size_t count) {
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::unique_ptr<RawPeer>> peers;
  for (size_t i = 0; i < count; i++) peers.push_back(std::make_unique<RawPeer>(folder.path()));
  return peers;
}

void check_echo(EchoHub &hub, std::vector<std::unique_ptr<RawPeer>> &peers,
                const std::vector<uint8_t> &stream) {
  for (auto &peer : peers) peer->to_write = stream;
  REQUIRE(run_until(hub, peers, [&] {
    for (auto &peer : peers)
      if (peer->received.size() < stream.size()) return false;
    return true;
  }));
  for (auto &peer : peers) CHECK(peer->received == stream);
}

} // namespace

TEST_CASE("frames of many connections come back whole, through small tables and a small slab") {
  Folder folder;
  const size_t before = open_descriptors();
  {
    EchoHub hub;
    REQUIRE(hub.listen(folder.path()) == 0);
    auto peers = connect_peers(folder, 20);
    const auto stream = mixed_stream();
    check_echo(hub, peers, stream);
    CHECK(hub.frames == 20 * 9);
    for (auto &peer : peers) peer->end();
    REQUIRE(run_until(hub, peers, [&] { return hub.closed == 20; }));
    CHECK(hub.ended == 20);
    CHECK(hub.faults.empty());
    CHECK(hub.hub().live_connections() == 0);
    CHECK(hub.large.live == 0);
    CHECK(hub.config->budget.held == 0);
  }
  CHECK(open_descriptors() == before);
}

TEST_CASE("thousands of empty frames in one read cross in several turns, and all arrive") {
  Folder folder;
  EchoHub hub;
  hub.echoes = false;
  REQUIRE(hub.listen(folder.path()) == 0);
  auto peers = connect_peers(folder, 1);
  peers[0]->to_write.assign(4 * 50'000, 0);
  REQUIRE(run_until(hub, peers, [&] { return hub.frames == 50'000; }));
}

TEST_CASE("a slab that was given away is let alone, unless bytes that were not looked at lie in it") {
  Folder folder;
  EchoHub hub;
  hub.gives_slab = true;
  REQUIRE(hub.listen(folder.path()) == 0);
  auto peers = connect_peers(folder, 20);
  auto stream = mixed_stream();
  stream.resize(stream.size() + 4 * 5'000);
  append_frame(10'000, 9, stream);
  check_echo(hub, peers, stream);
  CHECK(hub.given > 10);
  CHECK(hub.refused > 0);
  uint8_t other[EchoHub::slab_bytes];
  CHECK_FALSE(hub.hub().use_slab(other)); // not in a turn
}

TEST_CASE("connections over the limit are turned away and counted") {
  Folder folder;
  EchoHub hub;
  REQUIRE(hub.listen(folder.path(), 3) == 0);
  auto peers = connect_peers(folder, 10);
  REQUIRE(run_until(hub, peers, [&] { return hub.dropped == 7; }));
  CHECK(hub.opened == 3);
  CHECK(hub.hub().live_connections() == 3);
}

TEST_CASE("a descriptor that is listened on already stays with whoever listens on it") {
  Folder folder;
  uv_os_sock_t fd;
  REQUIRE(platform::listen_path(folder.path().c_str(), folder.path().size(), 128, fd) == 0);
  EchoHub hub;
  REQUIRE(hub.listen(fd, false) == 0);
  CHECK(hub.listen(fd, false, new ChannelConfig) == UV_EEXIST);
  hub.step();
  REQUIRE(fcntl(fd, F_GETFD) >= 0);
  auto peers = connect_peers(folder, 1);
  check_echo(hub, peers, mixed_stream());
}

TEST_CASE("slots run out: further connections are turned away, and slots are used again") {
  Folder folder;
  EchoHub hub;
  REQUIRE(hub.listen(folder.path()) == 0);
  const size_t more = EchoHub::max_slots + 20;
  auto peers = connect_peers(folder, 100);
  while (peers.size() < more) {
    hub.step();
    peers.push_back(std::make_unique<RawPeer>(folder.path()));
  }
  REQUIRE(run_until(hub, peers, [&] { return hub.dropped == 20; }));
  CHECK(hub.opened == EchoHub::max_slots);
  for (auto &peer : peers) peer->close();
  REQUIRE(run_until(hub, peers, [&] { return hub.hub().live_connections() == 0; }));
  auto late = connect_peers(folder, 5);
  REQUIRE(run_until(hub, late, [&] { return hub.opened == EchoHub::max_slots + 5; }));
}

TEST_CASE("partial and queued bytes are booked on the budget, and the one that exceeds it goes") {
  Folder folder;
  EchoHub hub;
  hub.config->budget.limit = 300'000;
  REQUIRE(hub.listen(folder.path()) == 0);
  auto peers = connect_peers(folder, 2);
  append_frame(150'000, 1, peers[0]->to_write);
  peers[0]->to_write.resize(100'000);
  REQUIRE(run_until(hub, peers,
                    [&] { return peers[0]->written == 100'000 && hub.config->budget.held >= 90'000; }));
  append_frame(5'000'000, 2, peers[1]->to_write);
  REQUIRE(run_until(hub, peers, [&] { return hub.faults[FaultCode::memory_budget] == 1; }));
  CHECK(hub.config->budget.held <= 300'000);
  REQUIRE(run_until(hub, peers, [&] { return hub.closed == 1; }));
  CHECK(hub.hub().live_connections() == 1);
  CHECK(peers[0]->over == false);
}

TEST_CASE("every deadline closes with its code") {
  struct Case {
    uint64_t ChannelConfig::*timeout;
    std::vector<uint8_t> bytes;
    FaultCode code;
  };
  const std::vector<uint8_t> none;
  const Case cases[] = {
      {&ChannelConfig::first_byte_timeout, none, FaultCode::first_byte_timeout},
      {&ChannelConfig::header_timeout, {0, 0, 0}, FaultCode::header_timeout},
      {&ChannelConfig::body_timeout, {0, 0, 0, 9, 1}, FaultCode::body_timeout},
      {&ChannelConfig::idle_timeout, {0, 0, 0, 1, 1}, FaultCode::idle_timeout},
  };
  for (const Case &one : cases) {
    Folder folder;
    EchoHub hub;
    hub.config->*one.timeout = 30;
    REQUIRE(hub.listen(folder.path()) == 0);
    auto peers = connect_peers(folder, 3);
    for (auto &peer : peers) peer->to_write = one.bytes;
    CHECK(run_until(hub, peers, [&] { return hub.closed == 3; }));
    CHECK(hub.faults[one.code] == 3);
    CHECK(hub.faults.size() == 1);
  }
}

TEST_CASE("8. bytes that drip do not put the deadline of a header or a body off") {
  for (bool in_header : {true, false}) {
    CAPTURE(in_header);
    Folder folder;
    EchoHub hub;
    hub.echoes = false;
    if (in_header) hub.config->format = make_format(spec_of(4, Endian::big, 15'000));
    (in_header ? hub.config->header_timeout : hub.config->body_timeout) = 15;
    REQUIRE(hub.listen(folder.path()) == 0);
    auto peers = connect_peers(folder, 1);
    if (!in_header) peers[0]->to_write = {0, 0x10, 0, 0};
    // Another byte at every turn, each read for itself, and without an end: a frame that became whole would
    // be followed by the next, and only the deadline closes.
    CHECK(run_until(hub, peers, [&] {
      if (peers[0]->to_write.size() == peers[0]->written) peers[0]->to_write.push_back(0);
      return hub.closed == 1;
    }));
    CHECK(hub.frames == 0);
    CHECK(hub.faults[in_header ? FaultCode::header_timeout : FaultCode::body_timeout] == 1);
    CHECK(hub.faults.size() == 1);
    CHECK(hub.config->budget.held == 0);
  }
}

TEST_CASE("memory of a large frame that was taken away is a fault, and no longer touched") {
  for (bool at_deadline : {false, true}) {
    Folder folder;
    EchoHub hub;
    hub.config->body_timeout = at_deadline ? 50 : 10'000;
    REQUIRE(hub.listen(folder.path()) == 0);
    auto peers = connect_peers(folder, 1);
    append_frame(150'000, 1, peers[0]->to_write);
    const std::vector<uint8_t> whole = peers[0]->to_write;
    peers[0]->to_write.resize(100'000);
    REQUIRE(run_until(hub, peers, [&] { return hub.config->budget.held >= 100'000; }));
    hub.large.lost = true;
    if (!at_deadline) peers[0]->to_write = whole;
    REQUIRE(run_until(hub, peers, [&] { return hub.closed == 1; }));
    CHECK(hub.faults[FaultCode::payload_detached] == 1);
    CHECK(hub.faults.size() == 1);
    CHECK(hub.frames == 0);
    CHECK(hub.large.live == 0);
    CHECK(hub.config->budget.held == 0);
  }
}

TEST_CASE("a peer that does not read is closed at the write deadline") {
  Folder folder;
  EchoHub hub;
  hub.config->write_timeout = 40;
  REQUIRE(hub.listen(folder.path()) == 0);
  auto peers = connect_peers(folder, 2);
  peers[0]->reads = false;
  for (int i = 0; i < 200; i++) append_frame(10'000, 1, peers[0]->to_write);
  append_frame(10, 1, peers[1]->to_write);
  REQUIRE(run_until(hub, peers, [&] { return hub.closed == 1; }));
  CHECK(hub.faults[FaultCode::write_timeout] == 1);
  CHECK(peers[1]->received == peers[1]->to_write);
  CHECK(hub.config->budget.held == 0);
}

TEST_CASE("a hub that is closed in the middle of everything gives everything back") {
  const size_t before = open_descriptors();
  for (int turns = 0; turns < 30; turns++) {
    Folder folder;
    size_t live = 1;
    {
      EchoHub hub;
      hub.left = &live;
      REQUIRE(hub.listen(folder.path()) == 0);
      auto peers = connect_peers(folder, 6);
      const auto stream = mixed_stream();
      for (size_t i = 0; i < peers.size(); i++) {
        peers[i]->to_write = stream;
        peers[i]->reads = i % 2 == 0;
      }
      for (int i = 0; i < turns; i++) {
        hub.step();
        for (auto &peer : peers) peer->step();
      }
    }
    CHECK(live == 0);
  }
  CHECK(open_descriptors() == before);
}
