// Deadlines that lie in first-in first-out lists: every list has one span of milliseconds, so what was armed
// first is due first, and arming, disarming and finding the next one due are constant time. One timer serves
// all lists of a hub. Knows time, not what is waited for.
#pragma once

#include <cstdint>
#include <uv.h>

namespace framewire {

class DeadlineClock;

enum class DeadlineKind : uint8_t { first_byte, header, body, idle, write, linger };

struct DeadlineList;

// A part of what waits, which is found by its kind; never copied while armed.
struct Deadline {
  Deadline *previous = nullptr;
  Deadline *next = nullptr;
  DeadlineList *list = nullptr;
  uint64_t due = 0;

  bool armed() const noexcept { return list != nullptr; }
};

// All deadlines of one kind and one configuration. While it is not empty it is linked into the clock.
struct DeadlineList {
  DeadlineKind kind = DeadlineKind::header;
  Deadline *head = nullptr;
  Deadline *tail = nullptr;
  DeadlineList *previous = nullptr;
  DeadlineList *next = nullptr;
};

class DeadlineClock {
public:
  // `wake` is called from the timer: the loop must come by `expire` soon, without blocking first.
  int init(uv_loop_t *loop, void (*wake)(void *), void *context) noexcept;
  void close(uv_close_cb done) noexcept;

  // ms > 0. Rearms when already armed.
  void arm(Deadline &deadline, DeadlineList &list, uint64_t ms) noexcept;
  void disarm(Deadline &deadline) noexcept;

  // Takes out one deadline that is due; nullptr when there is none. Call until then, behind a poll. One that
  // came due within that poll is left to the next: a process that was stopped comes out of it without having
  // looked at what arrived meanwhile, and that comes first.
  Deadline *expire() noexcept;
  void *context() const noexcept { return context_; }
  // Not the loop's: that stands still while callbacks run, and what is counted from it would be due early.
  // Rounded up for the same reason: the loop's, which says what is due, is rounded down.
  static uint64_t now() noexcept { return (uv_hrtime() + 999999) / 1000000; }

private:
  static void on_timer(uv_timer_t *timer);
  void schedule(uint64_t due) noexcept;

  uv_loop_t *loop_ = nullptr;
  uv_timer_t timer_{};
  void (*wake_)(void *) = nullptr;
  void *context_ = nullptr;
  DeadlineList *lists_ = nullptr;
  bool rung_ = false;               // the timer has fired since deadlines were last looked at
  uint64_t scheduled_ = UINT64_MAX; // when the timer fires; never later than the earliest deadline
};

} // namespace framewire
