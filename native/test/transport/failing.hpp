// Calls that fail on purpose: every n-th allocation of the sources under test, and every n-th system call
// they make on their own. Linked with --wrap, so that libuv and the test itself are left alone. Linux.
#pragma once

#include <cstddef>

namespace framewire::test {

struct Failing {
  // Nothing fails until then; 0: never.
  static void arm(unsigned every_call, unsigned every_allocation) noexcept;
  static void disarm() noexcept;
  static unsigned calls() noexcept;
  static unsigned allocations() noexcept;
  // How many failed.
  static unsigned failures() noexcept;
};

// While it lives, nothing fails: what the test does for itself.
class Spared {
public:
  Spared() noexcept;
  ~Spared();
};

} // namespace framewire::test
