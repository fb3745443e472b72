# SPDX-License-Identifier: Apache-2.0
# A stand-in for the functions of ESP-IDF's build system that a component calls; the program is one for this machine.
set(STAND_IN_DIR ${CMAKE_CURRENT_LIST_DIR})

function(idf_component_register)
    cmake_parse_arguments(ARG "" "" "SRCS;INCLUDE_DIRS" ${ARGN})
    add_library(${STAND_IN_COMPONENT} STATIC ${ARG_SRCS})
    target_include_directories(${STAND_IN_COMPONENT} PUBLIC ${ARG_INCLUDE_DIRS})
    set(COMPONENT_LIB ${STAND_IN_COMPONENT} PARENT_SCOPE)
endfunction()

macro(project name)
    _project(${name} C)
    # The one dependency of the example, by its place.
    file(STRINGS main/idf_component.yml STAND_IN_PATH REGEX "override_path")
    string(REGEX REPLACE ".*\"(.*)\"" "\\1" STAND_IN_PATH ${STAND_IN_PATH})
    set(STAND_IN_COMPONENT component)
    add_subdirectory(main/${STAND_IN_PATH} ${CMAKE_BINARY_DIR}/component)
    set(STAND_IN_COMPONENT main_component)
    add_subdirectory(main)
    target_link_libraries(main_component PRIVATE component)
    add_executable(app ${STAND_IN_DIR}/start.c)
    target_link_libraries(app PRIVATE main_component)
endmacro()
