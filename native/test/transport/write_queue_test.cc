// The write queue against a plain vector of bytes, and memory that goes away under it.
#include "../../transport/write_queue.hpp"
#include <algorithm>
#include <cstring>
#include <doctest/doctest.h>
#include <random>
#include <vector>

using namespace framewire;

namespace {

using Bytes = std::vector<uint8_t>;

struct Memory {
  Bytes bytes;
  size_t left;
  int alive = 0;
};

class Lent final : public HeldPayload {
public:
  explicit Lent(Memory &memory) : memory_(memory) { memory_.alive++; }
  ~Lent() override { memory_.alive--; }
  const uint8_t *bytes(size_t size) noexcept override {
    return memory_.left >= size ? memory_.bytes.data() : nullptr;
  }

private:
  Memory &memory_;
};

Bytes gathered(WriteQueue &queue, size_t room, bool &lost) {
  std::vector<uv_buf_t> bufs(room);
  size_t count = queue.gather(bufs.data(), room, lost);
  Bytes out;
  for (size_t i = 0; i < count; i++) out.insert(out.end(), bufs[i].base, bufs[i].base + bufs[i].len);
  return out;
}

} // namespace

TEST_CASE("what is appended comes out in order, however it is taken") {
  std::mt19937 random(7);
  WriteQueue queue;
  Bytes expected;
  std::vector<std::unique_ptr<Memory>> memories;
  uint8_t next = 0;
  uint64_t now = 1;
  for (int round = 0; round < 3000; round++) {
    now += random() % 40;
    switch (random() % 3) {
    case 0: {
      Bytes bytes(random() % 3 == 0 ? random() % 40'000 : random() % 50);
      for (uint8_t &byte : bytes) byte = next++;
      REQUIRE(queue.append(bytes.data(), bytes.size(), now));
      expected.insert(expected.end(), bytes.begin(), bytes.end());
      break;
    }
    case 1: {
      memories.push_back(std::make_unique<Memory>());
      Memory &memory = *memories.back();
      memory.bytes.resize(1 + random() % 60'000);
      memory.left = memory.bytes.size();
      for (uint8_t &byte : memory.bytes) byte = next++;
      size_t offset = random() % memory.bytes.size();
      REQUIRE(queue.append_held(std::make_unique<Lent>(memory), offset, memory.bytes.size(), now));
      expected.insert(expected.end(), memory.bytes.begin() + static_cast<long>(offset), memory.bytes.end());
      break;
    }
    case 2: {
      bool lost = true;
      Bytes front = gathered(queue, 1 + random() % 10, lost);
      CHECK(!lost);
      REQUIRE(front.size() <= expected.size());
      REQUIRE(std::equal(front.begin(), front.end(), expected.begin()));
      size_t taken = front.empty() ? 0 : random() % (front.size() + 1);
      queue.consume(taken);
      expected.erase(expected.begin(), expected.begin() + static_cast<long>(taken));
      break;
    }
    }
    REQUIRE(queue.size() == expected.size());
  }
  queue.clear();
  CHECK(queue.empty());
  for (auto &memory : memories) CHECK(memory->alive == 0);
}

TEST_CASE("lent memory that is gone is told of, and what is in front of it still comes out") {
  Memory memory{Bytes(50'000, 7), 50'000};
  WriteQueue queue;
  REQUIRE(queue.append("front", 5, 1));
  REQUIRE(queue.append_held(std::make_unique<Lent>(memory), 0, 50'000, 1));
  memory.left = 10;
  bool lost = false;
  CHECK(gathered(queue, 8, lost).size() == 5);
  CHECK(lost);
  queue.consume(5);
  CHECK(gathered(queue, 8, lost).empty());
  CHECK(lost);
  queue.clear();
  CHECK(memory.alive == 0);
}

TEST_CASE("the oldest byte tells when it was queued") {
  WriteQueue queue;
  Bytes large(30'000, 1);
  REQUIRE(queue.append(large.data(), large.size(), 5));
  REQUIRE(queue.append(large.data(), large.size(), 9));
  CHECK(queue.oldest() == 5);
  queue.consume(30'000);
  CHECK(queue.oldest() == 9);
}

TEST_CASE("a byte that was queued long after others does not have their time") {
  WriteQueue queue;
  for (uint64_t now = 1000; now <= 3000; now += 10) REQUIRE(queue.append("0123456789", 10, now));
  for (uint64_t now = 1000; now <= 3000; now += 10) {
    CHECK(queue.oldest() <= now);
    CHECK(queue.oldest() > now - 50);
    queue.consume(10);
  }
  CHECK(queue.empty());
}

TEST_CASE("little is set aside for what is queued") {
  WriteQueue queue;
  Memory memory{Bytes(20'000, 7), 20'000};
  for (int i = 0; i < 1000; i++) {
    REQUIRE(queue.append("head", 4, 1));
    REQUIRE(queue.append_held(std::make_unique<Lent>(memory), 0, 20'000, 1));
  }
  CHECK(queue.reserved() >= queue.size());
  CHECK(queue.reserved() < queue.size() + 1000 * 500);
  queue.clear();
  CHECK(queue.reserved() == 0);

  // Sizes that do not fit the rest of a chunk are divided.
  Bytes piece(9'000, 1);
  for (int i = 0; i < 1000; i++) REQUIRE(queue.append(piece.data(), piece.size(), 1));
  CHECK(queue.reserved() < queue.size() / 100 * 102);
  queue.consume(queue.size());
  CHECK(queue.reserved() == 0);

  REQUIRE(queue.append("x", 1, 1));
  CHECK(queue.reserved() < 500);
}
