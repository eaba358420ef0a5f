// Includes go down only: core knows neither libuv nor Node-API, transport knows no Node-API.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::vector<std::string> includes_of(const fs::path &file) {
  std::vector<std::string> found;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const size_t at = line.find_first_not_of(" \t");
    if (at == std::string::npos || line[at] != '#' || line.find("include") == std::string::npos) continue;
    const size_t open = line.find_first_of("\"<");
    if (open != std::string::npos)
      found.push_back(line.substr(open + 1, line.find_first_of("\">", open + 1) - open - 1));
  }
  return found;
}

void check_layer(const char *layer, const std::vector<std::string> &forbidden) {
  const fs::path root = fs::path(FRAMEWIRE_ROOT) / "native" / layer;
  REQUIRE(fs::exists(root));
  for (const auto &entry : fs::recursive_directory_iterator(root))
    for (const std::string &name : includes_of(entry.path()))
      for (const std::string &word : forbidden) {
        CAPTURE(entry.path().string());
        CAPTURE(name);
        CHECK(name.find(word) == std::string::npos);
      }
}

} // namespace

TEST_CASE("core includes no libuv, no Node-API, and nothing of the layers above it") {
  check_layer("core", {"uv.h", "uv/", "napi", "node_api", "node.h", "v8", "transport", "binding"});
}

TEST_CASE("transport includes no Node-API and nothing of the binding") {
  check_layer("transport", {"napi", "node_api", "node.h", "v8", "binding"});
}
