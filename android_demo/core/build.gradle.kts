plugins { `java-library` }

java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
}

val natives: String by rootProject.extra

dependencies {
    implementation(libs.tink)
    testImplementation(libs.junit)
    testImplementation(libs.javacpp)
    testImplementation(variantOf(libs.javacpp) { classifier(natives) })
    testImplementation(libs.tflite.jvm)
    testImplementation(variantOf(libs.tflite.jvm) { classifier(natives) })
}
