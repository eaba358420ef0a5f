{
  "variables": { "sanitize%": "" },
  "targets": [
    {
      "target_name": "framewire",
      "sources": [
        "native/core/encode.cc",
        "native/core/format.cc",
        "native/core/reassembly.cc",
        "native/core/scan.cc",
        "native/core/sniff.cc",
        "native/transport/connection.cc",
        "native/transport/connection_read.cc",
        "native/transport/connection_write.cc",
        "native/transport/deadline.cc",
        "native/transport/hub.cc",
        "native/transport/listener.cc",
        "native/transport/platform_posix.cc",
        "native/transport/platform_windows.cc",
        "native/transport/write_queue.cc",
        "native/binding/addon.cc",
        "native/binding/arguments.cc",
        "native/binding/codec.cc",
        "native/binding/memory.cc",
        "native/binding/runtime.cc",
        "native/binding/session.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags_cc": [
        "-std=c++17",
        "-O3",
        "-fno-exceptions",
        "-fno-rtti",
        "-fvisibility=hidden",
        "-ffunction-sections",
        "-fdata-sections",
        "-Wall",
        "-Wextra"
      ],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "xcode_settings": {
        "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
        "CLANG_CXX_LIBRARY": "libc++",
        "GCC_ENABLE_CPP_EXCEPTIONS": "NO",
        "GCC_ENABLE_CPP_RTTI": "NO",
        "GCC_OPTIMIZATION_LEVEL": "3",
        "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
        "DEAD_CODE_STRIPPING": "YES",
        "MACOSX_DEPLOYMENT_TARGET": "11.0"
      },
      "msvs_settings": {
        "VCCLCompilerTool": {
          "AdditionalOptions": ["/std:c++17", "/utf-8"],
          "ExceptionHandling": 0,
          "RuntimeTypeInfo": "false"
        }
      },
      "conditions": [
        [
          "OS=='linux'",
          {
            "ldflags": [
              "-static-libstdc++",
              "-static-libgcc",
              "-Wl,--gc-sections",
              "-Wl,--exclude-libs,ALL",
              "-Wl,--version-script=<(module_root_dir)/native/binding/exports.map"
            ]
          }
        ],
        ["OS=='win'", { "defines": ["NOMINMAX", "WIN32_LEAN_AND_MEAN", "_HAS_EXCEPTIONS=0"] }],
        [
          "sanitize!=''",
          {
            "cflags_cc": ["-fsanitize=<(sanitize)", "-fno-omit-frame-pointer", "-g", "-O1"],
            "ldflags!": ["-static-libstdc++", "-static-libgcc"],
            "ldflags": ["-fsanitize=<(sanitize)"]
          }
        ]
      ]
    }
  ]
}
