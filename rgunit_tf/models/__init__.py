"""Networks of paper §3: encoders, decoder, discriminator, style prior, retrieval network and fusion."""
