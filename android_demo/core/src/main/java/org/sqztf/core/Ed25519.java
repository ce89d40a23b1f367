package org.sqztf.core;

import com.google.crypto.tink.subtle.Ed25519Verify;
import java.security.GeneralSecurityException;

/** Signatures of updates by Tink, which runs on every Android: Java's own Ed25519 begins with API 33. */
public final class Ed25519 implements SqzUpdate.Signatures {
    @Override
    public boolean isRight(byte[] key, byte[] signature, byte[] message) {
        try {
            new Ed25519Verify(key).verify(signature, message);
            return true;
        } catch (GeneralSecurityException error) {
            return false;
        }
    }
}
