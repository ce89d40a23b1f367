plugins { `java-library` }

java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
}

dependencies {
    testImplementation(libs.junit)
    testImplementation(libs.javacpp)
    testImplementation(variantOf(libs.javacpp) { classifier("linux-x86_64") })
    testImplementation(libs.tflite.jvm)
    testImplementation(variantOf(libs.tflite.jvm) { classifier("linux-x86_64") })
}
