// What a listener or a client fixes for all of its connections. Validated before it gets here.
#pragma once

#include "../core/format.hpp"
#include "deadline.hpp"
#include <cstdint>

namespace framewire {

// Bytes held in partial and queued frames over all connections of one owner.
struct Budget {
  uint64_t limit = UINT64_MAX;
  uint64_t held = 0;

  bool would_exceed(uint64_t more) const noexcept { return more > limit || held > limit - more; }
};

struct Deadlines {
  DeadlineList first_byte{DeadlineKind::first_byte}, header{DeadlineKind::header}, body{DeadlineKind::body},
      idle{DeadlineKind::idle}, write{DeadlineKind::write};
};

struct ChannelConfig {
  FrameFormat format;
  uint64_t max_payload = 16u << 20;
  // Milliseconds, 0 = off.
  uint64_t first_byte_timeout = 0, header_timeout = 0, body_timeout = 0, idle_timeout = 0, write_timeout = 0;
  bool header_from_accept = false;
  bool no_delay = true;
  bool keep_alive = false;
  Budget budget;
  Deadlines deadlines;
  // Where its connections are; set by the first.
  class Hub *hub = nullptr;
  // Who accepts with it; nullptr: connections are made by us.
  class Listener *listener = nullptr;
  // Connections that use it, and the owner; freed when it reaches 0.
  uint32_t references = 0;
};

} // namespace framewire
