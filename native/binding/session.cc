#include "session.hpp"
#include "arguments.hpp"
#include <new>

namespace framewire {

Session::~Session() {
  for (auto &entry : configs_)
    if (--entry.second->references == 0) delete entry.second;
}

void Session::open(const Napi::CallbackInfo &info) {
  if (hub_ != nullptr || info.Length() < 3 || !info[0].IsObject() || !info[1].IsFunction() ||
      !info[2].IsFunction()) {
    Napi::TypeError::New(env_, "open(tables, turn, allocate), once").ThrowAsJavaScriptException();
    return;
  }
  auto tables = info[0].As<Napi::Object>();
  HubMemory memory{};
  void *data[11];
  size_t count[11];
  struct Table {
    const char *name;
    napi_typedarray_type type;
    size_t least;
  };
  static const Table wanted[11] = {
      {"slab", napi_uint8_array, 64 * 1024},
      {"rows", napi_uint32_array, 2 * 64},
      {"runs", napi_uint32_array, 4 * 16},
      {"states", napi_uint32_array, 4 * 16},
      {"out", napi_uint8_array, 64 * 1024},
      {"segments", napi_uint32_array, 4 * 16},
      {"control", napi_uint32_array, control_words},
      {"written", napi_float64_array, 16},
      {"marks", napi_float64_array, 16},
      {"owners", napi_uint32_array, 16},
      {"received", napi_float64_array, 16},
  };
  for (size_t i = 0; i < 11; i++)
    if (!read_table(env_, tables, wanted[i].name, wanted[i].type, wanted[i].least, data[i], count[i])) return;
  memory.slab = static_cast<uint8_t *>(data[0]);
  memory.slab_size = count[0];
  memory.rows = static_cast<FrameRow *>(data[1]);
  memory.max_rows = count[1] / 2;
  memory.runs = static_cast<FrameRun *>(data[2]);
  memory.max_runs = count[2] / 4;
  memory.states = static_cast<StateRow *>(data[3]);
  memory.max_states = count[3] / 4;
  memory.out = static_cast<uint8_t *>(data[4]);
  memory.out_size = count[4];
  memory.segments = static_cast<Segment *>(data[5]);
  memory.max_segments = count[5] / 4;
  memory.control = static_cast<uint32_t *>(data[6]);
  memory.written = static_cast<double *>(data[7]);
  memory.marks = static_cast<double *>(data[8]);
  memory.owners = static_cast<uint32_t *>(data[9]);
  memory.received = static_cast<double *>(data[10]);
  memory.max_slots = std::min({count[7], count[8], count[9], count[10]});

  uv_loop_t *loop = nullptr;
  napi_value name;
  std::unique_ptr<Hub> hub(new (std::nothrow) Hub(memory, *this, large_));
  if (hub == nullptr || napi_get_uv_event_loop(env_, &loop) != napi_ok || hub->init(loop) != 0 ||
      napi_create_string_utf8(env_, "FramewireTurn", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_async_init(env_, nullptr, name, &context_) != napi_ok) {
    Napi::Error::New(env_, "the hub could not be set up").ThrowAsJavaScriptException();
    return;
  }
  large_.init(info[2].As<Napi::Function>());
  turn_ = Napi::Persistent(info[1].As<Napi::Function>());
  tables_ = Napi::Persistent(tables);
  hub_ = std::move(hub);
  open_ = true;
  napi_add_async_cleanup_hook(env_, clean_up, this, &cleanup_);
}

void Session::use_slab() {
  void *data = nullptr;
  size_t size = 0;
  const size_t wanted = hub_ == nullptr ? 0 : hub_->memory().slab_size;
  if (wanted > 0 && !read_table(env_, tables_.Value(), "slab", napi_uint8_array, wanted, data, size)) return;
  if (wanted > 0 && size == wanted && hub_->use_slab(static_cast<uint8_t *>(data))) return;
  Napi::Error::New(env_, "the slab is in use, or another one has another size").ThrowAsJavaScriptException();
}

void Session::clean_up(napi_async_cleanup_hook_handle, void *data) {
  auto *session = static_cast<Session *>(data);
  session->hub_->close(closed, session);
}

void Session::closed(void *data) {
  auto *session = static_cast<Session *>(data);
  session->open_ = false;
  napi_remove_async_cleanup_hook(session->cleanup_);
  if (session->detached_) delete session;
}

void Session::detach() noexcept {
  detached_ = true;
  large_.reset();
  turn_.Reset();
  tables_.Reset();
  if (context_ != nullptr) napi_async_destroy(env_, context_);
  context_ = nullptr;
  if (!open_) delete this;
}

void Session::turn(size_t runs, size_t states) noexcept {
  Napi::HandleScope scope(env_);
  napi_value arguments[2], global, result;
  napi_create_uint32(env_, static_cast<uint32_t>(runs), &arguments[0]);
  napi_create_uint32(env_, static_cast<uint32_t>(states), &arguments[1]);
  napi_get_global(env_, &global);
  napi_status status = napi_make_callback(env_, context_, global, turn_.Value(), 2, arguments, &result);
  if (status != napi_pending_exception) return;
  // `turn` catches what user code throws; this is what ticks and microtasks threw behind it.
  napi_value error;
  if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
}

uint32_t Session::add_config(ChannelConfig *config) {
  config->references = 1;
  configs_[next_config_] = config;
  return next_config_++;
}

ChannelConfig *Session::config(uint32_t id) noexcept {
  auto found = configs_.find(id);
  return found == configs_.end() ? nullptr : found->second;
}

void Session::drop_config(uint32_t id) noexcept {
  auto found = configs_.find(id);
  if (found == configs_.end()) return;
  if (--found->second->references == 0) delete found->second;
  configs_.erase(found);
}

} // namespace framewire
