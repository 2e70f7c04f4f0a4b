# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# cmake -DOBJECT=FILE -DHEADER=NAME.id.h -P object_id.cmake: what tells one build's programs from another's,
# as EP_NAME_OBJECT_ID.
file(SHA256 ${OBJECT} id)
get_filename_component(name ${HEADER} NAME_WE)
string(TOUPPER ${name} name)
file(WRITE ${HEADER} "/* The SHA-256 of the BPF object beside it. */\n#define EP_${name}_OBJECT_ID \"${id}\"\n")
