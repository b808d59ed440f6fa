# A room is a folder of src/, a static library vsr_<room> and a door of headers in include/vsr/<room>.
#   vsr_add_room(<name> SOURCES <files> [PUBLIC <targets>] [PRIVATE <targets>])
# PUBLIC: rooms whose headers this room's own headers show. PRIVATE: everything else, above all the
# third-party library this room is the door to.
function(vsr_add_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(vsr_${name} STATIC ${ROOM_SOURCES})
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/vsr/${name}/*.hpp)
  target_sources(vsr_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${headers})
  target_include_directories(vsr_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(vsr_${name} PUBLIC ${ROOM_PUBLIC} PRIVATE vsr_warnings ${ROOM_PRIVATE})
endfunction()

# vsr_add_test(<room> SOURCES <files> [LIBRARIES <targets>] [LABELS <labels>] [TIMEOUT <seconds>])
# One GoogleTest program vsr_<room>_test; every TEST in it becomes a ctest.
function(vsr_add_test room)
  cmake_parse_arguments(TEST "" "TIMEOUT;NAME" "SOURCES;LIBRARIES;LABELS" ${ARGN})
  if(NOT TEST_NAME)
    set(TEST_NAME vsr_${room}_test)
  endif()
  if(NOT TEST_LABELS)
    set(TEST_LABELS cpu)
  endif()
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 120)
  endif()
  add_executable(${TEST_NAME} ${TEST_SOURCES})
  target_link_libraries(${TEST_NAME} PRIVATE vsr_warnings vsr_test_support ${TEST_LIBRARIES} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${TEST_NAME} DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${TEST_LABELS}" TIMEOUT ${TEST_TIMEOUT} SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
endfunction()
