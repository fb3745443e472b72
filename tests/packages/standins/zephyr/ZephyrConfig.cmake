# SPDX-License-Identifier: Apache-2.0
# A stand-in for the functions of Zephyr's build system that a module calls; the program is one for this machine.
# As in Zephyr, whole libraries are linked, modules are read where find_package() is, and options come from prj.conf.
project(zephyr_stand_in C)
set(STAND_IN_DIR ${CMAKE_CURRENT_LIST_DIR})

file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/prj.conf STAND_IN_LINES REGEX "=y$")
foreach(LINE IN LISTS STAND_IN_LINES EXTRA_CONFIG)
    string(REPLACE "=y" "" OPTION ${LINE})
    set(${OPTION} y)
endforeach()

function(zephyr_library_named name)
    add_library(${name} STATIC)
    set(ZEPHYR_CURRENT_LIBRARY ${name} PARENT_SCOPE)
    set_property(GLOBAL APPEND PROPERTY ZEPHYR_LIBS ${name})
    target_link_libraries(${name} PRIVATE zephyr_interface)
endfunction()

function(zephyr_library_sources)
    foreach(source IN LISTS ARGN)
        target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/${source})
    endforeach()
endfunction()

function(zephyr_library_include_directories)
    target_include_directories(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()

function(zephyr_library_compile_options)
    target_compile_options(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGN})
endfunction()

function(zephyr_include_directories)
    foreach(folder IN LISTS ARGN)
        target_include_directories(zephyr_interface INTERFACE ${CMAKE_CURRENT_SOURCE_DIR}/${folder})
    endforeach()
endfunction()

function(stand_in_program)
    get_property(libraries GLOBAL PROPERTY ZEPHYR_LIBS)
    add_executable(zephyr ${STAND_IN_DIR}/nothing.c)
    target_link_libraries(zephyr -Wl,--whole-archive app ${libraries} -Wl,--no-whole-archive)
endfunction()

add_library(zephyr_interface INTERFACE)
target_include_directories(zephyr_interface INTERFACE ${STAND_IN_DIR}/include)
add_library(app STATIC)
target_link_libraries(app PRIVATE zephyr_interface)
foreach(MODULE IN LISTS ZEPHYR_EXTRA_MODULES)
    # Of zephyr/module.yml it needs `cmake: .` alone.
    file(STRINGS ${MODULE}/zephyr/module.yml FOLDER REGEX "^  cmake: ")
    string(REPLACE "  cmake: " "" FOLDER "${FOLDER}")
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/modules)
    string(MD5 PLACE ${MODULE})
    add_subdirectory(${MODULE}/${FOLDER} ${CMAKE_BINARY_DIR}/modules/${PLACE})
endforeach()
cmake_language(DEFER CALL stand_in_program)
set(Zephyr_FOUND TRUE)
