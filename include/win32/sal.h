// Annotations for Microsoft's analysers. Those of one word that Linux's libraries use as names
// (__in, __out) are not here.

#ifndef SOGLIA_WIN32_SAL_H
#define SOGLIA_WIN32_SAL_H

#define _In_
#define _In_opt_
#define _In_z_
#define _In_opt_z_
#define _In_reads_(count)
#define _In_reads_opt_(count)
#define _In_reads_bytes_(size)
#define _In_reads_bytes_opt_(size)
#define _Inout_
#define _Inout_opt_
#define _Inout_updates_(count)
#define _Inout_updates_bytes_(size)
#define _Out_
#define _Out_opt_
#define _Out_writes_(count)
#define _Out_writes_opt_(count)
#define _Out_writes_bytes_(size)
#define _Out_writes_bytes_opt_(size)
#define _Out_writes_to_(count, written)
#define _Outptr_
#define _Outptr_opt_
#define _Outptr_result_maybenull_
#define _Outptr_opt_result_maybenull_
#define _COM_Outptr_
#define _COM_Outptr_opt_
#define _Ret_maybenull_
#define _Ret_notnull_
#define _Reserved_
#define _Success_(condition)
#define _Check_return_
#define _Must_inspect_result_
#define _When_(condition, annotations)
#define _Acquires_lock_(lock)
#define _Releases_lock_(lock)
#define _Printf_format_string_
#define _Use_decl_annotations_

#endif
