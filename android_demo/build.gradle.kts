plugins { alias(libs.plugins.android.application) apply false }

// TFLite for the tests, which run on this machine's JVM.
val system = System.getProperty("os.name").lowercase()
val processor = if (System.getProperty("os.arch") in listOf("aarch64", "arm64")) "arm64" else "x86_64"
extra["natives"] = (if ("mac" in system) "macosx" else if ("win" in system) "windows" else "linux") + "-$processor"
