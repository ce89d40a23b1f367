plugins { alias(libs.plugins.android.application) }

android {
    namespace = "org.sqztf.demo"
    compileSdk = libs.versions.compileSdk.get().toInt()

    defaultConfig {
        applicationId = "org.sqztf.demo"
        minSdk = libs.versions.minSdk.get().toInt()
        targetSdk = libs.versions.compileSdk.get().toInt()
        versionCode = 1
        versionName = "0.1.0"
        ndk { abiFilters += listOf("arm64-v8a", "x86_64", "armeabi-v7a") }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    // Models are compressed little, and apps that map them instead of reading them need them stored.
    androidResources { noCompress += "tflite" }

    // From src/main/jniLibs, which `python -m android_demo.tools --only-bundle` fills. Stored as they are, native libraries
    // are aligned to 16 KB pages.
    packaging { jniLibs { useLegacyPackaging = false } }

    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
        }
    }

    // The tests run models with the engine of core's tests.
    sourceSets { getByName("test") { java.srcDir("../core/src/test/java") } }
    testOptions { unitTests { isIncludeAndroidResources = true } }
}

val natives: String by rootProject.extra

dependencies {
    implementation(project(":core"))
    testImplementation(libs.junit)
    testImplementation(libs.robolectric)
    testImplementation(libs.javacpp)
    testImplementation(variantOf(libs.javacpp) { classifier(natives) })
    testImplementation(libs.tflite.jvm)
    testImplementation(variantOf(libs.tflite.jvm) { classifier(natives) })
}
