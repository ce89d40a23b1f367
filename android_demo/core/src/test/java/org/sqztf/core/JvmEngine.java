package org.sqztf.core;

import java.nio.ByteBuffer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.tensorflowlite.BuiltinOpResolverWithoutDefaultDelegates;
import org.bytedeco.tensorflowlite.FlatBufferModel;
import org.bytedeco.tensorflowlite.Interpreter;
import org.bytedeco.tensorflowlite.InterpreterBuilder;

/**
 * TFLite's own kernels on the JVM, where nothing of the package can run.
 *
 * <p>They give the reference kernels' bytes on x86-64 Linux. They are not the app's: what it runs is tested with the
 * package's own libraries.
 */
public final class JvmEngine implements Engine {
    private static final int OK = 0;

    private final BytePointer file; // the interpreter reads from it
    private final FlatBufferModel model;
    private final BuiltinOpResolverWithoutDefaultDelegates resolver;
    private final Interpreter interpreter;
    private final boolean fast;

    /** Load a model; {@code fast} is what {@link #fast} is to say, for tests of the app. */
    public JvmEngine(byte[] bytes, boolean fast) {
        this.fast = fast;
        file = new BytePointer(bytes);
        model = FlatBufferModel.BuildFromBuffer(file, bytes.length);
        resolver = new BuiltinOpResolverWithoutDefaultDelegates();
        interpreter = new Interpreter((Pointer) null); // apply() puts one there
        InterpreterBuilder builder = new InterpreterBuilder(model, resolver);
        if (builder.apply(interpreter) != OK || interpreter.AllocateTensors() != OK) {
            throw new IllegalStateException("TFLite refuses the model");
        }
    }

    @Override
    public void run(ByteBuffer input, ByteBuffer output) {
        byte[] in = new byte[input.remaining()];
        input.get(in);
        data(interpreter.input_tensor(0)).capacity(in.length).put(in);
        if (interpreter.Invoke() != OK) {
            throw new IllegalStateException("TFLite failed");
        }
        byte[] out = new byte[output.remaining()];
        data(interpreter.output_tensor(0)).capacity(out.length).get(out);
        output.put(out);
    }

    private static BytePointer data(org.bytedeco.tensorflowlite.TfLiteTensor tensor) {
        return new BytePointer(tensor.data().data());
    }

    @Override
    public boolean fast() {
        return fast;
    }

    @Override
    public void close() {
        interpreter.close();
        resolver.close();
        model.close();
        file.close();
    }
}
