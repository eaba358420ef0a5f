// One loop per field width and byte order. The loop only recognises frames that are whole and in order;
// whatever ends it is looked at once, by FrameFormat::read.
//
// The next header's place depends on this header's value: load, swap, add, load, and so on, about eight
// cycles a frame. So the loop guesses that a frame is as long as the one before. The guess is a branch and
// not data, the CPU runs ahead on it, and the loads of several headers (and their cache misses) overlap.
#include "scan.hpp"

#include <cstring>

namespace framewire {

namespace {

#if defined(__GNUC__) || defined(__clang__)
// Keeps the compiler from seeing that a right guess equals the value, and so from putting the dependency
// back.
#define FRAMEWIRE_OPAQUE(x) __asm__ volatile("" : "+r"(x))
#define FRAMEWIRE_LIKELY(x) __builtin_expect(!!(x), 1)
inline uint16_t swap_bytes(uint16_t v) noexcept {
  return __builtin_bswap16(v);
}
inline uint32_t swap_bytes(uint32_t v) noexcept {
  return __builtin_bswap32(v);
}
inline uint64_t swap_bytes(uint64_t v) noexcept {
  return __builtin_bswap64(v);
}
#else
#define FRAMEWIRE_OPAQUE(x) (void)(x)
#define FRAMEWIRE_LIKELY(x) (x)
inline uint16_t swap_bytes(uint16_t v) noexcept {
  return static_cast<uint16_t>(v << 8 | v >> 8);
}
inline uint32_t swap_bytes(uint32_t v) noexcept {
  return v << 24 | (v & 0xff00u) << 8 | (v >> 8 & 0xff00u) | v >> 24;
}
inline uint64_t swap_bytes(uint64_t v) noexcept {
  return uint64_t{swap_bytes(static_cast<uint32_t>(v))} << 32 | swap_bytes(static_cast<uint32_t>(v >> 32));
}
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
constexpr bool kHostIsBig = true;
#else
constexpr bool kHostIsBig = false;
#endif

template <typename T, Endian E> inline uint64_t load_as(const uint8_t *at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return (E == Endian::big) == kHostIsBig ? value : swap_bytes(value);
}

template <int Width, Endian E> inline uint64_t load(const uint8_t *at) noexcept {
  if constexpr (Width == 1)
    return at[0];
  else if constexpr (Width == 2)
    return load_as<uint16_t, E>(at);
  else if constexpr (Width == 3)
    return E == Endian::big ? uint64_t{at[0]} << 16 | load_as<uint16_t, E>(at + 1)
                            : uint64_t{at[2]} << 16 | load_as<uint16_t, E>(at);
  else if constexpr (Width == 4)
    return load_as<uint32_t, E>(at);
  else
    return load_as<uint64_t, E>(at);
}

// Both words in one store.
inline void store(FrameRow *row, size_t start, size_t end) noexcept {
  if (kHostIsBig) {
    *row = FrameRow{static_cast<uint32_t>(start), static_cast<uint32_t>(end)};
    return;
  }
  const uint64_t both = uint64_t{end} << 32 | static_cast<uint32_t>(start);
  std::memcpy(row, &both, sizeof both);
}

struct Found {
  size_t pos;
  FrameRow *row;
};

// uint32be with nothing to add and nothing to take away. `limit` is looked at only where the input is large
// enough to hold a frame beyond it.
template <bool Limited>
Found find_u32be(uint64_t limit, const uint8_t *data, size_t size, FrameRow *row, FrameRow *const last,
                 size_t base) noexcept {
  size_t pos = 0;
  size_t guess = 0;
  while (row != last) {
    const size_t start = pos + 4;
    if (start > size) break;
    const size_t length = load<4, Endian::big>(data + pos);
    if (Limited && length > limit) break;
    const size_t end = start + length;
    if (end > size) break;
    store(row++, base + start, base + end);
    if (FRAMEWIRE_LIKELY(length == guess)) {
      FRAMEWIRE_OPAQUE(guess);
      pos = start + guess;
    } else {
      guess = length;
      pos = end;
    }
  }
  return {pos, row};
}

// What a header's value may be, and what has to be added to it; the same for every frame of a fixed width.
struct Bounds {
  uint64_t least; // smallest value that is not invalid
  uint64_t count; // how many values from there are within the limit
  int64_t extra;  // wire size = value + extra
  size_t strip;

  Bounds(const FrameFormat &format, uint64_t limit) noexcept {
    const int64_t header = static_cast<int64_t>(format.max_header());
    const int64_t adjustment = format.length_adjustment();
    const int64_t cut = format.strips_header() ? header : format.strip();
    extra = header + adjustment;
    strip = static_cast<size_t>(cut);
    int64_t low = adjustment < 0 ? -int64_t{adjustment} : 0;
    if (low < cut - extra) low = cut - extra;
    const int64_t high = static_cast<int64_t>(limit) + cut - extra; // limit is at most kMaxPayload
    least = static_cast<uint64_t>(low);
    count = high < low ? 0 : static_cast<uint64_t>(high - low) + 1;
  }
};

template <int Width, Endian E>
Found find_fixed(const FrameFormat &format, uint64_t limit, const uint8_t *data, size_t size, FrameRow *row,
                 FrameRow *const last, size_t base) noexcept {
  const Bounds bounds(format, limit);
  const size_t offset = format.length_offset();
  const size_t header = offset + Width;
  const size_t strip = bounds.strip;
  size_t pos = 0;
  size_t guess = 0;
  while (row != last && size - pos >= header) {
    const uint64_t value = load<Width, E>(data + pos + offset);
    if (value - bounds.least >= bounds.count) // below `least` wraps to far above `count`
      break;
    const size_t wire = value + static_cast<uint64_t>(bounds.extra);
    if (wire > size - pos) break;
    store(row++, base + pos + strip, base + pos + wire);
    if (FRAMEWIRE_LIKELY(wire == guess)) {
      FRAMEWIRE_OPAQUE(guess);
      pos += guess;
    } else {
      guess = wire;
      pos += wire;
    }
  }
  return {pos, row};
}

// Varints of one and two bytes, which is nearly all of them, without FrameFormat::read. 0: look at it
// closely.
inline size_t short_varint(const FrameFormat &format, uint64_t limit, const uint8_t *field, size_t size,
                           size_t &start) noexcept {
  if (size < 2) return 0;
  const size_t width = field[0] < 0x80 ? 1 : 2;
  if (width == 2 && field[1] >= 0x80) return 0;
  const int64_t value = width == 1 ? field[0] : (field[0] & 0x7f) | field[1] << 7;
  const int64_t header = static_cast<int64_t>(format.length_offset() + width);
  const int64_t cut = format.strips_header() ? header : format.strip();
  const int64_t behind = value + format.length_adjustment();
  const int64_t payload = header + behind - cut;
  if (behind < 0 || payload < 0 || static_cast<uint64_t>(payload) > limit) return 0;
  start = static_cast<size_t>(cut);
  return static_cast<size_t>(header + behind);
}

Found find_varint(const FrameFormat &format, uint64_t limit, const uint8_t *data, size_t size, FrameRow *row,
                  FrameRow *const last, size_t base) noexcept {
  const size_t offset = format.length_offset();
  size_t pos = 0;
  while (row != last && size - pos > offset) {
    const uint8_t *const field = data + pos + offset;
    size_t start = 0;
    size_t wire = short_varint(format, limit, field, size - pos - offset, start);
    if (wire == 0) {
      const Header header = format.read(field, size - pos - offset, limit);
      if (header.state != HeaderState::whole) break;
      start = static_cast<size_t>(header.start);
      wire = static_cast<size_t>(header.wire);
    }
    if (wire > size - pos) break;
    store(row++, base + pos + start, base + pos + wire);
    pos += wire;
  }
  return {pos, row};
}

template <int Width>
Found find_width(const FrameFormat &format, uint64_t limit, const uint8_t *data, size_t size, FrameRow *row,
                 FrameRow *const last, size_t base) noexcept {
  return format.endian() == Endian::big
             ? find_fixed<Width, Endian::big>(format, limit, data, size, row, last, base)
             : find_fixed<Width, Endian::little>(format, limit, data, size, row, last, base);
}

Found find(const FrameFormat &format, uint64_t limit, const uint8_t *data, size_t size, FrameRow *row,
           FrameRow *const last, size_t base) noexcept {
  if (format.is_plain_u32be())
    return size <= limit ? find_u32be<false>(limit, data, size, row, last, base)
                         : find_u32be<true>(limit, data, size, row, last, base);
  switch (format.length_bytes()) {
  case 0: return find_varint(format, limit, data, size, row, last, base);
  case 1: return find_width<1>(format, limit, data, size, row, last, base);
  case 2: return find_width<2>(format, limit, data, size, row, last, base);
  case 3: return find_width<3>(format, limit, data, size, row, last, base);
  case 4: return find_width<4>(format, limit, data, size, row, last, base);
  default: return find_width<8>(format, limit, data, size, row, last, base);
  }
}

} // namespace

ScanResult scan(const FrameFormat &format, uint64_t max_payload, const uint8_t *data, size_t size,
                FrameRow *rows, size_t max_rows, uint32_t base) noexcept {
  const uint64_t limit = max_payload < kMaxPayload ? max_payload : kMaxPayload;
  const Found found = find(format, limit, data, size, rows, rows + max_rows, base);
  ScanResult result{found.pos, static_cast<size_t>(found.row - rows), ScanStop::need_more, 0, 0, 0};
  if (found.pos == size) return result;
  if (result.rows == max_rows) {
    result.stop = ScanStop::rows_full;
    return result;
  }
  const size_t left = size - found.pos;
  const size_t offset = format.length_offset();
  if (left <= offset) return result;
  const Header header = format.read(data + found.pos + offset, left - offset, limit);
  result.declared = header.payload;
  result.header_bytes = header.header_bytes;
  result.frame_bytes = static_cast<size_t>(header.wire);
  if (header.state == HeaderState::too_large)
    result.stop = ScanStop::too_large;
  else if (header.state == HeaderState::invalid_length)
    result.stop = ScanStop::invalid_length;
  return result;
}

} // namespace framewire
