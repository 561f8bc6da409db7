"""Evidence that is uploaded: what may be kept (contents, pictures), where (stores), whose it is (uploads), and the
addresses under which it is read (signer, addresses)."""
