// The few symbols of the C++ runtime library that the addon needs, so that libstdc++'s exception machinery is
// not linked in: its unwinder would tie the binary to the newest glibc (`_dl_find_object`, `arc4random`) and
// triple its size. Knows nothing of frames. Nothing throws here (-fno-exceptions): where libstdc++ would
// throw, the process stops with a word. Every allocation whose size a peer or a caller can influence is made
// with `nothrow` or `malloc` and checked.
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FRAMEWIRE_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define FRAMEWIRE_SANITIZED
#endif

// A sanitizer brings its own operator new; libc++ (macOS) and MSVC's library do not pull in what is avoided
// here.
#if defined(__GLIBCXX__) && !defined(FRAMEWIRE_SANITIZED)

namespace {

[[noreturn]] void stop(const char *what) {
  std::fputs("framewire: ", stderr);
  std::fputs(what, stderr);
  std::fputs("\n", stderr);
  std::abort();
}

void *allocate(size_t size) {
  return std::malloc(size == 0 ? 1 : size);
}

} // namespace

// libstdc++ declares it `extern template`; the copy in its archive is compiled with exceptions.
template class std::basic_string<char>;

namespace std {

const nothrow_t nothrow{};

void __throw_bad_alloc() {
  stop("out of memory");
}
void __throw_bad_array_new_length() {
  stop("array too long");
}
void __throw_logic_error(const char *what) {
  stop(what);
}
void __throw_length_error(const char *what) {
  stop(what);
}
void __throw_out_of_range_fmt(const char *what, ...) {
  stop(what);
}

} // namespace std

void *operator new(size_t size) {
  if (void *memory = allocate(size)) return memory;
  stop("out of memory");
}
void *operator new[](size_t size) {
  return operator new(size);
}
void *operator new(size_t size, const std::nothrow_t &) noexcept {
  return allocate(size);
}
void *operator new[](size_t size, const std::nothrow_t &) noexcept {
  return allocate(size);
}
void operator delete(void *memory) noexcept {
  std::free(memory);
}
void operator delete[](void *memory) noexcept {
  std::free(memory);
}
void operator delete(void *memory, size_t) noexcept {
  std::free(memory);
}
void operator delete[](void *memory, size_t) noexcept {
  std::free(memory);
}

#endif
