#include "deadline.hpp"

namespace framewire {

int DeadlineClock::init(uv_loop_t *loop, void (*wake)(void *), void *context) noexcept {
  loop_ = loop;
  wake_ = wake;
  context_ = context;
  timer_.data = this;
  int status = uv_timer_init(loop, &timer_);
  if (status == 0) uv_unref(reinterpret_cast<uv_handle_t *>(&timer_));
  return status;
}

void DeadlineClock::close(uv_close_cb done) noexcept {
  uv_close(reinterpret_cast<uv_handle_t *>(&timer_), done);
}

void DeadlineClock::on_timer(uv_timer_t *timer) {
  auto *clock = static_cast<DeadlineClock *>(timer->data);
  clock->scheduled_ = UINT64_MAX;
  clock->rung_ = true;
  clock->wake_(clock->context_);
}

void DeadlineClock::schedule(uint64_t due) noexcept {
  if (due >= scheduled_) return;
  scheduled_ = due;
  uint64_t now = uv_now(loop_);
  uv_timer_start(&timer_, on_timer, due > now ? due - now : 0, 0);
}

void DeadlineClock::arm(Deadline &deadline, DeadlineList &list, uint64_t ms) noexcept {
  disarm(deadline);
  uint64_t from = now();
  deadline.due = ms > UINT64_MAX - from ? UINT64_MAX : from + ms;
  // A list has one span, so the place is the tail; only lingering connections bring spans of their own.
  Deadline *before = list.tail;
  while (before != nullptr && before->due > deadline.due) before = before->previous;
  deadline.previous = before;
  deadline.next = before != nullptr ? before->next : list.head;
  (deadline.previous != nullptr ? deadline.previous->next : list.head) = &deadline;
  (deadline.next != nullptr ? deadline.next->previous : list.tail) = &deadline;
  deadline.list = &list;
  if (list.head == &deadline && list.tail == &deadline) {
    list.previous = nullptr;
    list.next = lists_;
    if (lists_ != nullptr) lists_->previous = &list;
    lists_ = &list;
  }
  schedule(deadline.due);
}

void DeadlineClock::disarm(Deadline &deadline) noexcept {
  DeadlineList *list = deadline.list;
  if (list == nullptr) return;
  (deadline.previous != nullptr ? deadline.previous->next : list->head) = deadline.next;
  (deadline.next != nullptr ? deadline.next->previous : list->tail) = deadline.previous;
  deadline.previous = deadline.next = nullptr;
  deadline.list = nullptr;
  if (list->head != nullptr) return;
  (list->previous != nullptr ? list->previous->next : lists_) = list->next;
  if (list->next != nullptr) list->next->previous = list->previous;
  list->previous = list->next = nullptr;
}

Deadline *DeadlineClock::expire() noexcept {
  if (!rung_) return nullptr;
  uint64_t now = uv_now(loop_);
  uint64_t earliest = UINT64_MAX;
  for (DeadlineList *list = lists_; list != nullptr; list = list->next) {
    Deadline *head = list->head;
    if (head->due <= now) {
      // The caller wants the kind, and may free what the deadline sits in.
      return head;
    }
    if (head->due < earliest) earliest = head->due;
  }
  rung_ = false;
  if (earliest != UINT64_MAX) schedule(earliest);
  return nullptr;
}

} // namespace framewire
