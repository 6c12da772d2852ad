# The library with its headers, the command line, and a package for find_package(deeper).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS deeper EXPORT deeper-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS deeper_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
foreach(header
    ir/enums.def ir/enums.h ir/error.h ir/evaluate.h ir/graph.h ir/infer.h ir/match.h ir/ops.h ir/parse.h ir/print.h
    ir/tensor.h ir/type.h ir/verify.h
    frontend/import.h frontend/zoo/zoo.h
    passes/passes.def passes/passes.h
    backend/accuracy.h backend/compile.h backend/conv_records.h backend/isa.h backend/target.h
    runtime/deeper.h runtime/kernel.h runtime/plan.h runtime/plan_file.h runtime/session.h
    tools/open.h)
  cmake_path(GET header PARENT_PATH folder)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/deeper/${folder})
endforeach()

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/deeper)
install(EXPORT deeper-targets NAMESPACE deeper:: DESTINATION ${package})
configure_package_config_file(cmake/deeper-config.cmake.in ${PROJECT_BINARY_DIR}/deeper-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/deeper-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/deeper-config.cmake ${PROJECT_BINARY_DIR}/deeper-config-version.cmake DESTINATION ${package})
