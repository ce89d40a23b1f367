/* What the library's functions are called to the linker. Here: as they are written. The compiler writes a file of this
 * name for each model, which puts the model's name in front, so that two models can be linked into one program. */
