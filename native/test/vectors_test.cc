// test/vectors/frames.txt against the core: in one piece, byte by byte, and in awkward pieces.
#include "formats.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <sstream>

using namespace framewire;
using namespace framewire::test;

namespace {

struct Vector {
  std::string name;
  bool decodes = false;
  std::string format;
  uint64_t limit = 0;
  Bytes input;
  std::vector<std::string> events; // frame, error and end lines, or wire
};

Bytes parse_bytes(const std::string &text) {
  Bytes bytes;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (word == "-") continue;
    const size_t star = word.find('*');
    const size_t times = star == std::string::npos ? 1 : std::stoul(word.substr(star + 1));
    const std::string hex = word.substr(0, star);
    Bytes unit;
    for (size_t i = 0; i + 1 < hex.size(); i += 2)
      unit.push_back(static_cast<uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
    for (size_t i = 0; i < times; i++) bytes.insert(bytes.end(), unit.begin(), unit.end());
  }
  return bytes;
}

const std::map<std::string, FormatSpec> &presets() {
  static const std::map<std::string, FormatSpec> table = [] {
    const Endian little = Endian::little;
    std::map<std::string, FormatSpec> all = {
        {"C", spec_of(1)},         {"n", spec_of(2)}, {"v", spec_of(2, little)}, {"N", spec_of(4)},
        {"V", spec_of(4, little)}, {"J", spec_of(8)}, {"P", spec_of(8, little)}};
    for (const char *letter : {"C", "n", "v", "N", "V", "J", "P"})
      all[std::string("swoole:") + letter] = all[letter];
    all["uint8"] = all["erlang:1"] = all["C"];
    all["uint16be"] = all["erlang:2"] = all["n"];
    all["uint32be"] = all["erlang:4"] = all["N"];
    all["uint16le"] = all["v"];
    all["uint32le"] = all["V"];
    all["uint64be"] = all["J"];
    all["uint64le"] = all["P"];
    all["uint24be"] = spec_of(3);
    all["uint24le"] = spec_of(3, little);
    all["varint"] = spec_of(0);
    all["workerman"] = spec_of(4, Endian::big, 0, -4);
    return all;
  }();
  return table;
}

FrameFormat parse_format(const std::string &text) {
  const auto preset = presets().find(text);
  if (preset != presets().end()) return make_format(preset->second);
  FormatSpec spec;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const std::string key = word.substr(0, word.find('='));
    const std::string value = word.substr(key.size() + 1);
    if (key == "lengthBytes")
      spec.length_bytes = value == "varint" ? 0 : static_cast<uint8_t>(std::stoul(value));
    else if (key == "endian")
      spec.endian = value == "little" ? Endian::little : Endian::big;
    else if (key == "lengthOffset")
      spec.length_offset = static_cast<uint32_t>(std::stoul(value));
    else if (key == "lengthAdjustment")
      spec.length_adjustment = static_cast<int32_t>(std::stol(value));
    else if (key == "strip")
      spec.strip = std::stol(value);
    else
      FAIL("unknown format key: ", word);
  }
  return make_format(spec);
}

std::vector<Vector> read_vectors() {
  std::ifstream file(FRAMEWIRE_ROOT "/test/vectors/frames.txt");
  REQUIRE(file);
  std::vector<Vector> all;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::string word = line.substr(0, line.find(' '));
    const std::string rest = line.size() > word.size() ? line.substr(word.size() + 1) : "";
    if (word == "decode" || word == "encode")
      all.push_back({rest, word == "decode", "", 0, {}, {}});
    else if (word == "format")
      all.back().format = rest;
    else if (word == "limit")
      all.back().limit = rest == "infinity" ? UINT64_MAX : std::stoull(rest);
    else if (word == "input" || word == "payload")
      all.back().input = parse_bytes(rest);
    else
      all.back().events.push_back(line);
  }
  return all;
}

Ending ending_of(const std::string &code) {
  if (code == "ERR_FRAME_TOO_LARGE") return Ending::too_large;
  if (code == "ERR_FRAME_LENGTH_INVALID") return Ending::invalid_length;
  REQUIRE(code == "ERR_FRAME_TRUNCATED");
  return Ending::truncated;
}

Hint hint_of(const std::string &name) {
  static const std::map<std::string, Hint> names = {{"http", Hint::http},
                                                    {"tls", Hint::tls},
                                                    {"other-endian", Hint::other_endian},
                                                    {"counts-header", Hint::counts_header}};
  REQUIRE(names.count(name) == 1);
  return names.at(name);
}

void parse_error(std::istringstream &words, Heard &heard) {
  std::string word;
  words >> word;
  heard.ending = ending_of(word);
  while (words >> word) {
    const size_t equals = word.find('=');
    const std::string value = word.substr(equals + 1);
    if (word.compare(0, equals, "declared") == 0) {
      heard.declared_known = true;
      heard.declared = std::stoull(value);
    } else if (word.compare(0, equals, "received") == 0) {
      heard.received = std::stoull(value);
    } else {
      heard.hint = hint_of(value);
    }
  }
}

Heard expected(const Vector &vector) {
  Heard heard;
  for (const std::string &line : vector.events) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word == "end") {
      heard.ending = Ending::boundary;
    } else if (word == "error") {
      parse_error(words, heard);
    } else {
      uint64_t start = 0;
      uint64_t end = 0;
      words >> start >> end;
      std::string rest;
      std::getline(words, rest);
      heard.frames.push_back({start, end, parse_bytes(rest)});
    }
  }
  return heard;
}

void check_decode(const Vector &vector) {
  const FrameFormat format = parse_format(vector.format);
  const Heard want = expected(vector);
  const Heard whole = hear_whole(format, vector.limit, vector.input);
  CHECK(whole == want);
  CHECK(whole.hint == want.hint);
  const size_t slab = Reassembly::min_slab(format);
  CHECK(hear(format, vector.limit, vector.input, {1}, slab) == want);
  CHECK(hear(format, vector.limit, vector.input, {3, 1, 200, 7}, slab, 2) == want);
  CHECK(hear(format, vector.limit, vector.input, {50000, 2}, 1 << 19, 1) == want);
}

void check_encode(const Vector &vector) {
  const FrameFormat format = parse_format(vector.format);
  const std::string &line = vector.events.at(0);
  size_t size = 0;
  const Encoded result = encoded_size(format, vector.input.data(), vector.input.size(), size);
  if (line.compare(0, 6, "error ") == 0) {
    CHECK(result == (line == "error ERR_FRAME_TOO_LARGE" ? Encoded::too_large : Encoded::invalid_length));
    return;
  }
  REQUIRE(result == Encoded::ok);
  Bytes frame(size);
  size_t written = 0;
  CHECK(encode(format, vector.input.data(), vector.input.size(), frame.data(), size, written) == Encoded::ok);
  CHECK(written == size);
  CHECK(frame == parse_bytes(line.substr(5)));
}

} // namespace

TEST_CASE("golden vectors: every frame is read and written as the file says") {
  const std::vector<Vector> all = read_vectors();
  CHECK(all.size() > 250);
  for (const Vector &vector : all) {
    CAPTURE(vector.name);
    REQUIRE(!vector.events.empty());
    if (vector.decodes)
      check_decode(vector);
    else
      check_encode(vector);
  }
}
