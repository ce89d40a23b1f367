package org.sqztf.core;

/** Which kernels run a model: those that were asked for if the package has them, else the others. */
public final class Kernels {
    private Kernels() {}

    /** Return why the fast kernels did not load where every package has them; else, or where they did, an empty text. */
    static String fault() {
        return fault(FastEngine.FAULT, System.getProperty("os.arch", ""));
    }

    /** As {@link #fault()}, of a processor as Java calls it: a package has them for those of 64 bits. */
    static String fault(String found, String processor) {
        return processor.contains("64") ? found : "";
    }

    /**
     * Open an engine; {@link Engine#fast} tells which it is.
     *
     * @param file the bytes of the {@code .tflite}
     * @param model what it says of itself
     * @param threads how many compute at once, where the kernels can
     * @param fast whether the fast kernels are asked for
     * @throws IllegalStateException the package has neither for this model and processor
     */
    public static Engine open(byte[] file, SqzModel model, int threads, boolean fast) {
        boolean possible = FastEngine.FAULT.isEmpty();
        if (!(fast && possible) && ExactEngine.has(file)) {
            return new ExactEngine(file);
        }
        return new FastEngine(file, model, threads);
    }
}
