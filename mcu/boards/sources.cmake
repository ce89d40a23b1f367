# What a firmware is made of, for build systems that use CMake: the model's folder and mcu/firmware.
function(sqz_sources folder sources definitions)
  get_filename_component(folder "${folder}" ABSOLUTE)
  if(NOT CMAKE_SCRIPT_MODE_FILE) # in which ESP-IDF asks for a component's requirements first
    set(again CONFIGURE_DEPENDS)
  endif()
  file(GLOB weights ${again} "${folder}/*_weights.c")
  list(LENGTH weights count)
  if(NOT count EQUAL 1)
    message(FATAL_ERROR "${folder} holds no compiled model: expected one NAME_weights.c")
  endif()
  get_filename_component(name "${weights}" NAME_WE)
  string(REGEX REPLACE "_weights$" "" name "${name}")
  if(NOT name MATCHES "^[A-Za-z][A-Za-z0-9_]*$")
    message(FATAL_ERROR "${folder} holds a model whose name is none in C: compile it again")
  endif()
  string(TOUPPER "${name}" upper)
  # Of the folder's files those that the compiler writes: the model's own and the C library's.
  file(GLOB library RELATIVE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../src" "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../src/*.c")
  set(wanted "${name}.c" "${name}_weights.c" "${name}_labels.c" ${library})
  list(TRANSFORM wanted PREPEND "${folder}/")
  file(GLOB model ${again} ${wanted})
  file(GLOB firmware "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../firmware/*.c")
  set(${sources} ${model} ${firmware} PARENT_SCOPE)
  set(${definitions} "SQZ_MODEL_NAME=\"${name}\"" SQZ_MODEL_LOWER=${name}_ SQZ_MODEL_UPPER=${upper}_
    "SQZ_MODEL_HEADER=\"${folder}/${name}.h\"" PARENT_SCOPE)
endfunction()

# Link a file of cases into `target`, and again whenever it changes: no compiler tells that a source's .incbin reads it.
function(sqz_cases target file sources)
  target_compile_definitions(${target} PRIVATE "SQZ_CASES=\"${file}\"")
  list(FILTER sources INCLUDE REGEX "/firmware/cases\\.c$")
  set_property(SOURCE ${sources} PROPERTY OBJECT_DEPENDS "${file}")
endfunction()
