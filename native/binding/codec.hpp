// The header scan for decoders that ask for it. Knows no hub and no sockets.
#pragma once

#include <napi.h>

namespace framewire {

void export_codec(Napi::Env env, Napi::Object exports);

} // namespace framewire
