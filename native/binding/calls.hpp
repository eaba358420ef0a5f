// What the functions that JS calls have in common: whom a call is about, and what it answers. A slot or
// number that is gone is nullptr, not an error.
#pragma once

#include "session.hpp"

namespace framewire {

Session &session(const Napi::CallbackInfo &info);
// Named by the first argument.
Connection *connection(const Napi::CallbackInfo &info);
Listener *listener(const Napi::CallbackInfo &info);
// Without coercion, which a thread that is being terminated refuses.
bool is_true(Napi::Value value);
Napi::Value undefined(const Napi::CallbackInfo &info);
Napi::Value number(const Napi::CallbackInfo &info, double value);
// { host, port, family }
Napi::Value address_object(const Napi::CallbackInfo &info, const sockaddr_storage &address);

// Every function checks its arguments again.
void export_listeners(Napi::Env env, Napi::Object exports);
void export_connections(Napi::Env env, Napi::Object exports);

} // namespace framewire
