#include "write_queue.hpp"
#include "platform.hpp"
#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace framewire {

namespace {
// Small appends share a chunk. The first is for a header in front of a held payload; each behind it is twice
// as large.
constexpr size_t least_chunk = 256, most_chunk = 16 * 1024;
// A chunk has one time, its first byte's: later ones get a chunk of their own.
constexpr uint64_t share_ms = 50;
} // namespace

WriteQueue::Chunk *WriteQueue::make_chunk(size_t capacity, uint64_t now) noexcept {
  if (capacity > SIZE_MAX - sizeof(Chunk)) return nullptr;
  auto *chunk = static_cast<Chunk *>(std::malloc(sizeof(Chunk) + capacity));
  if (chunk == nullptr) return nullptr;
  chunk->next = nullptr;
  chunk->queued_at = now;
  chunk->offset = chunk->size = 0;
  chunk->capacity = capacity;
  chunk->held = nullptr;
  return chunk;
}

size_t WriteQueue::cost(const Chunk *chunk) noexcept {
  return sizeof(Chunk) + (chunk->held != nullptr ? chunk->size : chunk->capacity);
}

void WriteQueue::link(Chunk *chunk) noexcept {
  (tail_ != nullptr ? tail_->next : head_) = chunk;
  tail_ = chunk;
  reserved_ += cost(chunk);
}

void WriteQueue::drop_head() noexcept {
  Chunk *chunk = head_;
  reserved_ -= cost(chunk);
  head_ = chunk->next;
  if (head_ == nullptr) tail_ = nullptr;
  delete chunk->held;
  std::free(chunk);
}

bool WriteQueue::append(const void *bytes, size_t size, uint64_t now) noexcept {
  if (size == 0) return true;
  const auto *from = static_cast<const uint8_t *>(bytes);
  Chunk *tail = tail_;
  bool follows = tail != nullptr && tail->held == nullptr;
  bool shares = follows && now - tail->queued_at < share_ms;
  size_t first = shares ? std::min(size, tail->capacity - tail->size) : 0;
  size_t rest = size - first;
  if (rest > 0) {
    size_t capacity = least_chunk;
    if (shares)
      capacity = 2 * std::min(tail->capacity, most_chunk / 2);
    else if (follows)
      capacity = std::clamp(tail->size, least_chunk, most_chunk); // as much as came in the time of one
    Chunk *chunk = make_chunk(std::max(rest, capacity), now);
    if (chunk == nullptr) return false;
    std::memcpy(chunk->data, from + first, rest);
    chunk->size = rest;
    link(chunk);
  }
  if (first > 0) {
    std::memcpy(tail->data + tail->size, from, first);
    tail->size += first;
  }
  size_ += size;
  return true;
}

bool WriteQueue::append_held(std::unique_ptr<HeldPayload> payload, size_t offset, size_t size,
                             uint64_t now) noexcept {
  if (offset >= size) return true;
  Chunk *chunk = make_chunk(0, now);
  if (chunk == nullptr) return false;
  chunk->offset = offset;
  chunk->size = size;
  chunk->held = payload.release();
  link(chunk);
  size_ += size - offset;
  return true;
}

size_t WriteQueue::gather(uv_buf_t *bufs, size_t room, bool &lost) noexcept {
  lost = false;
  size_t count = 0;
  for (Chunk *chunk = head_; chunk != nullptr && count < room; chunk = chunk->next) {
    const uint8_t *data = chunk->held == nullptr ? chunk->data : chunk->held->bytes(chunk->size);
    if (data == nullptr) {
      lost = true;
      break;
    }
    bufs[count].base = reinterpret_cast<char *>(const_cast<uint8_t *>(data + chunk->offset));
    const size_t size = chunk->size - chunk->offset;
    bufs[count].len = static_cast<platform::BufferLength>(std::min(size, platform::buffer_most));
    count += 1;
    // The rest of it goes before anything else does.
    if (size > platform::buffer_most) break;
  }
  return count;
}

void WriteQueue::consume(size_t size) noexcept {
  size_ -= size;
  while (head_ != nullptr) {
    size_t rest = head_->size - head_->offset;
    if (size < rest) {
      head_->offset += size;
      return;
    }
    size -= rest;
    drop_head();
  }
}

void WriteQueue::clear() noexcept {
  while (head_ != nullptr) drop_head();
  size_ = 0;
}

} // namespace framewire
