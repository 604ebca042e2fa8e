# The target http-parser::http-parser, for the build and for those who use what is installed: Debian's http-parser comes
# without a .pc file.
find_path(HTTP_PARSER_INCLUDE_DIR http_parser.h REQUIRED)
find_library(HTTP_PARSER_LIBRARY http_parser REQUIRED)
if(NOT TARGET http-parser::http-parser)
  add_library(http-parser::http-parser UNKNOWN IMPORTED)
  set_target_properties(http-parser::http-parser PROPERTIES
    IMPORTED_LOCATION ${HTTP_PARSER_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${HTTP_PARSER_INCLUDE_DIR})
endif()
