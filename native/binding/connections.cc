// One connection, as JS calls it by its slot.
#include "arguments.hpp"
#include "calls.hpp"

namespace framewire {

namespace {

// connectX(config, …) -> slot, or a libuv error code below 0

template <typename Connect>
Napi::Value connect_with(const Napi::CallbackInfo &info, bool is_tcp, Connect connect) {
  Session &state = session(info);
  uint64_t id = 0;
  if (!read_uint(info.Env(), info[0], "config", UINT32_MAX, id)) return undefined(info);
  ChannelConfig *config = state.config(static_cast<uint32_t>(id));
  if (state.hub() == nullptr || config == nullptr) return number(info, UV_EINVAL);
  Connection *made = Connection::create(*state.hub(), *config, is_tcp);
  if (made == nullptr) return number(info, UV_ENOMEM);
  int status = connect(*made);
  if (status == 0) return number(info, made->slot());
  made->destroy();
  return number(info, status);
}

Napi::Value connect_path(const Napi::CallbackInfo &info) {
  uint8_t *path = nullptr;
  size_t length = 0;
  if (!read_bytes(info.Env(), info[1], "path", path, length)) return undefined(info);
  std::string name(reinterpret_cast<char *>(path), length);
  return connect_with(info, false,
                      [&](Connection &made) { return made.connect_path(name.c_str(), name.size()); });
}

Napi::Value connect_tcp(const Napi::CallbackInfo &info) {
  sockaddr_storage address{};
  if (!read_address(info.Env(), info[1], info[2], address)) return undefined(info);
  return connect_with(
      info, true, [&](Connection &made) { return made.connect_tcp(reinterpret_cast<sockaddr *>(&address)); });
}

Napi::Value pause(const Napi::CallbackInfo &info) {
  if (Connection *found = connection(info)) found->pause();
  return undefined(info);
}

Napi::Value resume(const Napi::CallbackInfo &info) {
  if (Connection *found = connection(info)) found->resume();
  return undefined(info);
}

Napi::Value destroy(const Napi::CallbackInfo &info) {
  if (Connection *found = connection(info)) found->destroy();
  return undefined(info);
}

Napi::Value reference_connection(const Napi::CallbackInfo &info) {
  if (Connection *found = connection(info)) found->reference(is_true(info[1]));
  return undefined(info);
}

Napi::Value check_mark(const Napi::CallbackInfo &info) {
  if (Connection *found = connection(info)) found->check_mark();
  return undefined(info);
}

// sendLarge(slot, headStart, headEnd, payload, copy): the header lies in the out slab. Without `copy` the
// payload is held until it is written; with it, what cannot be written at once is copied.
Napi::Value send_large(const Napi::CallbackInfo &info) {
  Napi::Env env = info.Env();
  Session &state = session(info);
  Connection *found = connection(info);
  uint64_t start = 0, end = 0;
  uint8_t *payload = nullptr;
  size_t size = 0;
  if (!read_uint(env, info[1], "headStart", UINT32_MAX, start) ||
      !read_uint(env, info[2], "headEnd", UINT32_MAX, end) ||
      !read_bytes(env, info[3], "payload", payload, size))
    return undefined(info);
  if (found == nullptr || start > end || end > state.hub()->memory().out_size || payload == nullptr)
    return undefined(info);
  uv_buf_t head = uv_buf_init(reinterpret_cast<char *>(state.hub()->memory().out + start),
                              static_cast<unsigned>(end - start));
  if (is_true(info[4])) {
    uv_buf_t bufs[2] = {head, {}};
    bufs[1].base = reinterpret_cast<char *>(payload);
    bufs[1].len = size;
    found->write(bufs, 2, head.len + size);
    return undefined(info);
  }
  auto held = JsPayload::hold(env, info[3], &state.held_payloads());
  if (held == nullptr) {
    Napi::Error::New(env, "no memory to hold the payload").ThrowAsJavaScriptException();
    return undefined(info);
  }
  found->write_large(head, std::move(held), size);
  return undefined(info);
}

Napi::Value take_large(const Napi::CallbackInfo &info) {
  Connection *found = connection(info);
  Block block;
  if (found == nullptr || !found->take_large(block)) return info.Env().Null();
  return session(info).large().take(info.Env(), block);
}

// [code, system, declared or -1, received, hint, fatal, length suspected]
Napi::Value fault(const Napi::CallbackInfo &info) {
  Connection *found = connection(info);
  const Fault *fault = found == nullptr ? nullptr : found->fault();
  if (fault == nullptr) return info.Env().Null();
  auto row = Napi::Array::New(info.Env(), 7);
  row[0u] = number(info, static_cast<int>(fault->code));
  row[1u] = number(info, fault->system);
  row[2u] = number(info, fault->declared_known ? static_cast<double>(fault->declared) : -1);
  row[3u] = number(info, static_cast<double>(fault->received));
  row[4u] = number(info, static_cast<int>(fault->hint));
  row[5u] = Napi::Boolean::New(info.Env(), fault->fatal);
  row[6u] = number(info, static_cast<double>(fault->suspected));
  return row;
}

Napi::Value peer(const Napi::CallbackInfo &info) {
  Connection *found = connection(info);
  platform::PeerCredentials credentials;
  if (found == nullptr || !found->peer(credentials)) return info.Env().Null();
  auto object = Napi::Object::New(info.Env());
  object.Set("pid", number(info, static_cast<double>(credentials.pid)));
  object.Set("uid", number(info, static_cast<double>(credentials.uid)));
  object.Set("gid", number(info, static_cast<double>(credentials.gid)));
  return object;
}

Napi::Value remote_address(const Napi::CallbackInfo &info) {
  Connection *found = connection(info);
  sockaddr_storage address{};
  if (found == nullptr || !found->remote_address(address)) return info.Env().Null();
  return address_object(info, address);
}

} // namespace

void export_connections(Napi::Env env, Napi::Object exports) {
  exports.Set("connectPath", Napi::Function::New<connect_path>(env));
  exports.Set("connectTcp", Napi::Function::New<connect_tcp>(env));
  exports.Set("pause", Napi::Function::New<pause>(env));
  exports.Set("resume", Napi::Function::New<resume>(env));
  exports.Set("destroy", Napi::Function::New<destroy>(env));
  exports.Set("reference", Napi::Function::New<reference_connection>(env));
  exports.Set("checkMark", Napi::Function::New<check_mark>(env));
  exports.Set("sendLarge", Napi::Function::New<send_large>(env));
  exports.Set("takeLarge", Napi::Function::New<take_large>(env));
  exports.Set("fault", Napi::Function::New<fault>(env));
  exports.Set("peer", Napi::Function::New<peer>(env));
  exports.Set("remoteAddress", Napi::Function::New<remote_address>(env));
}

} // namespace framewire
