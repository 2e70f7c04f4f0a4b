# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# cmake -DOBJECT=FILE -DHEADER=FILE -P object_id.cmake: what tells one build's programs from another's.
file(SHA256 ${OBJECT} id)
file(WRITE ${HEADER} "/* The SHA-256 of the BPF object beside it. */\n#define EP_OBJECT_ID \"${id}\"\n")
