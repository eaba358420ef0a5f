#include "calls.hpp"

namespace framewire {

Session &session(const Napi::CallbackInfo &info) {
  return *info.Env().GetInstanceData<Session>();
}

Connection *connection(const Napi::CallbackInfo &info) {
  Hub *hub = session(info).hub();
  if (hub == nullptr || info.Length() == 0 || !info[0].IsNumber()) return nullptr;
  return hub->connection(info[0].As<Napi::Number>().Uint32Value());
}

Listener *listener(const Napi::CallbackInfo &info) {
  Hub *hub = session(info).hub();
  if (hub == nullptr || info.Length() == 0 || !info[0].IsNumber()) return nullptr;
  return hub->listener(info[0].As<Napi::Number>().Uint32Value());
}

bool is_true(Napi::Value value) {
  return value.IsBoolean() && value.As<Napi::Boolean>().Value();
}

Napi::Value undefined(const Napi::CallbackInfo &info) {
  return info.Env().Undefined();
}

Napi::Value number(const Napi::CallbackInfo &info, double value) {
  return Napi::Number::New(info.Env(), value);
}

Napi::Value address_object(const Napi::CallbackInfo &info, const sockaddr_storage &address) {
  char text[64] = "";
  auto *v4 = reinterpret_cast<const sockaddr_in *>(&address);
  auto *v6 = reinterpret_cast<const sockaddr_in6 *>(&address);
  bool is_v6 = address.ss_family == AF_INET6;
  if (is_v6)
    uv_ip6_name(v6, text, sizeof text);
  else
    uv_ip4_name(v4, text, sizeof text);
  auto object = Napi::Object::New(info.Env());
  object.Set("host", text);
  object.Set("port", ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
  object.Set("family", is_v6 ? "IPv6" : "IPv4");
  return object;
}

} // namespace framewire
