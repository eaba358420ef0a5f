// Runs a fuzz target over the files and folders that are named, without a fuzzer.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace {

namespace fs = std::filesystem;

bool run(const fs::path &file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "%s: cannot be read\n", file.c_str());
    return false;
  }
  const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
  return true;
}

} // namespace

// A target that finds a fault aborts; so the last line is the sign that all went well.
int main(int argc, char **argv) {
  size_t count = 0;
  for (int i = 1; i < argc; i++) {
    const fs::path given(argv[i]);
    if (!fs::is_directory(given)) {
      if (!run(given)) return 1;
      count++;
      continue;
    }
    for (const auto &entry : fs::directory_iterator(given)) {
      if (!run(entry.path())) return 1;
      count++;
    }
  }
  std::printf("[replay] %zu inputs passed\n", count);
  return 0;
}
