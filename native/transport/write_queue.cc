#include "write_queue.hpp"
#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace framewire {

namespace {
// Small appends share a chunk.
constexpr size_t chunk_bytes = 16 * 1024;
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

void WriteQueue::free_chunk(Chunk *chunk) noexcept {
  delete chunk->held;
  std::free(chunk);
}

void WriteQueue::link(Chunk *chunk) noexcept {
  (tail_ != nullptr ? tail_->next : head_) = chunk;
  tail_ = chunk;
}

bool WriteQueue::append(const void *bytes, size_t size, uint64_t now) noexcept {
  if (size == 0) return true;
  Chunk *tail = tail_;
  if (tail == nullptr || tail->held != nullptr || tail->capacity - tail->size < size) {
    tail = make_chunk(std::max(size, chunk_bytes), now);
    if (tail == nullptr) return false;
    link(tail);
  }
  std::memcpy(tail->data + tail->size, bytes, size);
  tail->size += size;
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
    bufs[count].len = chunk->size - chunk->offset;
    count += 1;
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
    Chunk *next = head_->next;
    free_chunk(head_);
    head_ = next;
    if (head_ == nullptr) tail_ = nullptr;
  }
}

void WriteQueue::clear() noexcept {
  while (head_ != nullptr) {
    Chunk *next = head_->next;
    free_chunk(head_);
    head_ = next;
  }
  tail_ = nullptr;
  size_ = 0;
}

} // namespace framewire
