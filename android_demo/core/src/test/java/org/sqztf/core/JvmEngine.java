package org.sqztf.core;

import java.nio.ByteBuffer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.tensorflowlite.BuiltinOpResolverWithoutDefaultDelegates;
import org.bytedeco.tensorflowlite.FlatBufferModel;
import org.bytedeco.tensorflowlite.Interpreter;
import org.bytedeco.tensorflowlite.InterpreterBuilder;

/** TFLite's own kernels, as the app has them, from TFLite's C++ library for the JVM. */
public final class JvmEngine implements Engine {
    private static final int OK = 0;

    private final BytePointer file; // the interpreter reads from it
    private final FlatBufferModel model;
    private final BuiltinOpResolverWithoutDefaultDelegates resolver;
    private final Interpreter interpreter;

    public JvmEngine(byte[] bytes) {
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
    public void close() {
        interpreter.close();
        resolver.close();
        model.close();
        file.close();
    }
}
