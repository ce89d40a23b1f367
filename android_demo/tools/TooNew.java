import java.io.File;
import java.io.FileInputStream;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import org.codehaus.mojo.animal_sniffer.SignatureChecker;
import org.codehaus.mojo.animal_sniffer.logging.PrintWriterLogger;

/**
 * Names every use of a class or method that is not in a signature file, and exits with 1 if there is any.
 *
 * <p>Arguments: the signature file, a folder of class files, and packages not to look for.
 */
final class TooNew {
    public static void main(String[] arguments) throws Exception {
        HashSet<String> ignored = new HashSet<>(Arrays.asList(arguments).subList(2, arguments.length));
        SignatureChecker checker = new SignatureChecker(
                new FileInputStream(arguments[0]), ignored, new PrintWriterLogger(System.out));
        checker.setSourcePath(Collections.<File>emptyList());
        checker.process(new File(arguments[1]));
        System.exit(checker.isSignatureBroken() ? 1 : 0);
    }
}
