// Listening, as JS calls it.
#include "arguments.hpp"
#include "calls.hpp"

namespace framewire {

namespace {

// listenX(config, number, …, backlog, maxConnections, hold, announce) -> 0 or a libuv error
// code

template <typename Listen>
Napi::Value listen_with(const Napi::CallbackInfo &info, size_t rest, Listen listen) {
  Napi::Env env = info.Env();
  Session &state = session(info);
  uint64_t id = 0, serial = 0, backlog = 0, most = 0;
  bool hold = false, announce = false;
  if (!read_uint(env, info[0], "config", UINT32_MAX, id) ||
      !read_uint(env, info[1], "number", UINT32_MAX, serial) ||
      !read_uint(env, info[rest], "backlog", INT32_MAX, backlog) ||
      !read_uint(env, info[rest + 1], "maxConnections", UINT32_MAX, most) ||
      !read_bool(env, info[rest + 2], "hold", hold) || !read_bool(env, info[rest + 3], "announce", announce))
    return undefined(info);
  ChannelConfig *config = state.config(static_cast<uint32_t>(id));
  if (state.hub() == nullptr || config == nullptr || serial == 0) return number(info, UV_EINVAL);
  Listener *listener = Listener::create(*state.hub(), config, static_cast<uint32_t>(serial),
                                        static_cast<uint32_t>(most), hold, announce);
  if (listener == nullptr) return number(info, UV_ENOMEM);
  int status = listen(*listener, static_cast<int>(backlog));
  if (status < 0) listener->close();
  return number(info, status);
}

Napi::Value listen_path(const Napi::CallbackInfo &info) {
  uint8_t *path = nullptr;
  size_t length = 0;
  if (!read_bytes(info.Env(), info[2], "path", path, length)) return undefined(info);
  std::string name(reinterpret_cast<char *>(path), length);
  return listen_with(info, 3, [&](Listener &listener, int backlog) {
    return listener.listen_path(name.c_str(), name.size(), backlog);
  });
}

Napi::Value listen_tcp(const Napi::CallbackInfo &info) {
  sockaddr_storage address{};
  if (!read_address(info.Env(), info[2], info[3], address)) return undefined(info);
  return listen_with(info, 4, [&](Listener &listener, int backlog) {
    return listener.listen_tcp(reinterpret_cast<sockaddr *>(&address), backlog);
  });
}

Napi::Value listen_descriptor(const Napi::CallbackInfo &info) {
  uint64_t descriptor = 0;
  if (!read_uint(info.Env(), info[2], "fd", INT32_MAX, descriptor)) return undefined(info);
  return listen_with(info, 3, [&](Listener &listener, int backlog) {
    return listener.listen_descriptor(static_cast<int>(descriptor), backlog);
  });
}

// holdPath(path, backlog) -> a descriptor that listens, or a libuv error code below 0. Nothing here keeps it.
Napi::Value hold_path(const Napi::CallbackInfo &info) {
  uint8_t *path = nullptr;
  size_t length = 0;
  uint64_t backlog = 0;
  if (!read_bytes(info.Env(), info[0], "path", path, length) ||
      !read_uint(info.Env(), info[1], "backlog", INT32_MAX, backlog))
    return undefined(info);
  uv_os_sock_t fd{};
  int status = platform::listen_path(reinterpret_cast<char *>(path), length, static_cast<int>(backlog), fd);
  return number(info, status < 0 ? status : static_cast<double>(fd));
}

Napi::Value close_listener(const Napi::CallbackInfo &info) {
  if (Listener *found = listener(info)) found->close();
  return undefined(info);
}

Napi::Value listener_address(const Napi::CallbackInfo &info) {
  Listener *found = listener(info);
  sockaddr_storage address{};
  if (found == nullptr || !found->local_address(address)) return info.Env().Null();
  return address_object(info, address);
}

Napi::Value listener_connections(const Napi::CallbackInfo &info) {
  Listener *found = listener(info);
  return number(info, found == nullptr ? 0 : found->connections());
}

Napi::Value slots_of(const Napi::CallbackInfo &info) {
  auto slots = Napi::Array::New(info.Env());
  Listener *found = listener(info);
  uint32_t count = 0;
  if (found != nullptr)
    for (uint32_t slot = 0; slot < session(info).hub()->slots_used(); slot++) {
      Connection *made = session(info).hub()->connection(slot);
      if (made != nullptr && made->listener() == found) slots[count++] = number(info, slot);
    }
  return slots;
}

Napi::Value reference_listener(const Napi::CallbackInfo &info) {
  if (Listener *found = listener(info)) found->reference(is_true(info[1]));
  return undefined(info);
}

} // namespace

void export_listeners(Napi::Env env, Napi::Object exports) {
  exports.Set("listenPath", Napi::Function::New<listen_path>(env));
  exports.Set("listenTcp", Napi::Function::New<listen_tcp>(env));
  exports.Set("listenDescriptor", Napi::Function::New<listen_descriptor>(env));
  exports.Set("holdPath", Napi::Function::New<hold_path>(env));
  exports.Set("closeListener", Napi::Function::New<close_listener>(env));
  exports.Set("listenerAddress", Napi::Function::New<listener_address>(env));
  exports.Set("listenerConnections", Napi::Function::New<listener_connections>(env));
  exports.Set("slotsOf", Napi::Function::New<slots_of>(env));
  exports.Set("referenceListener", Napi::Function::New<reference_listener>(env));
}

} // namespace framewire
