// Deadlines in first-in first-out lists: nothing is due early, nothing is forgotten.
#include "../../transport/deadline.hpp"
#include <doctest/doctest.h>
#include <vector>

using namespace framewire;

namespace {

struct Clock {
  Clock() {
    uv_loop_init(&loop);
    clock.init(
        &loop, [](void *woken) { ++*static_cast<int *>(woken); }, &woken);
  }
  ~Clock() {
    clock.close(nullptr);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
  }
  // Runs until the timer has fired at least once more.
  void wait() {
    // The clock's own timer does not keep the loop alive; a connection would.
    uv_idle_t alive;
    uv_idle_init(&loop, &alive);
    uv_idle_start(&alive, [](uv_idle_t *) {});
    for (int before = woken; woken == before;) uv_run(&loop, UV_RUN_ONCE);
    uv_close(reinterpret_cast<uv_handle_t *>(&alive), nullptr);
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  std::vector<Deadline *> due() {
    std::vector<Deadline *> found;
    while (Deadline *deadline = clock.expire()) {
      clock.disarm(*deadline);
      found.push_back(deadline);
    }
    return found;
  }

  uv_loop_t loop;
  DeadlineClock clock;
  int woken = 0;
};

} // namespace

TEST_CASE("deadlines come due in order, over several lists, and none of them early") {
  Clock clock;
  DeadlineList fast{DeadlineKind::header}, slow{DeadlineKind::body};
  Deadline a, b, c;
  clock.clock.arm(a, slow, 40);
  clock.clock.arm(b, fast, 5);
  clock.clock.arm(c, fast, 5);
  CHECK(clock.due().empty());
  std::vector<Deadline *> order;
  while (order.size() < 3) {
    clock.wait();
    for (Deadline *deadline : clock.due()) {
      CHECK(deadline->due <= clock.clock.now());
      order.push_back(deadline);
    }
  }
  CHECK(order == std::vector<Deadline *>{&b, &c, &a});
  CHECK(!a.armed());
}

TEST_CASE("a deadline that is armed late in a millisecond has all of its span") {
  Clock clock;
  DeadlineList list{DeadlineKind::header};
  for (int round = 0; round < 20; round++) {
    // The second half of a millisecond, where rounding down costs the most.
    while (uv_hrtime() % 1000000 < 500000) {
    }
    uint64_t armed_at = uv_hrtime();
    uv_update_time(&clock.loop);
    Deadline deadline;
    clock.clock.arm(deadline, list, 3);
    std::vector<Deadline *> found;
    while (found.empty()) {
      clock.wait();
      found = clock.due();
    }
    CHECK(uv_hrtime() - armed_at >= 3000000);
  }
}

TEST_CASE("what is disarmed or armed again does not come due for its old time") {
  Clock clock;
  DeadlineList list{DeadlineKind::header};
  Deadline a, b, c;
  clock.clock.arm(a, list, 5);
  clock.clock.arm(b, list, 5);
  clock.clock.arm(c, list, 5);
  clock.clock.disarm(b);
  clock.clock.disarm(b);
  CHECK(!b.armed());
  clock.clock.arm(a, list, 60);
  std::vector<Deadline *> order;
  while (order.size() < 2) {
    clock.wait();
    for (Deadline *deadline : clock.due()) order.push_back(deadline);
  }
  CHECK(order == std::vector<Deadline *>{&c, &a});
}

TEST_CASE("spans of their own find their place, and a span without end is no overflow") {
  Clock clock;
  DeadlineList list{DeadlineKind::linger};
  Deadline far, near, never;
  clock.clock.arm(far, list, 50);
  clock.clock.arm(never, list, UINT64_MAX);
  clock.clock.arm(near, list, 5);
  CHECK(never.due == UINT64_MAX);
  CHECK(list.head == &near);
  CHECK(list.tail == &never);
  clock.wait();
  CHECK(clock.due() == std::vector<Deadline *>{&near});
  clock.clock.disarm(far);
  clock.clock.disarm(never);
  CHECK(list.head == nullptr);
}
