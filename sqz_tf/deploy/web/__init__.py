"""A model as one page for browsers: the compiled C as WebAssembly, and all that a person sees around it."""
