// Work items of the thread pool, on threads of a host.

using System;
using System.Reflection;
using System.Threading;

namespace Soglia.Hosting;

internal static unsafe class Pool
{
    private static Func<bool>? s_dispatch;
    private static Action<Thread, bool>? s_mark;

    // Whether work items can run on other threads than the pool's own.
    private static int Prepare()
    {
        const BindingFlags Internal = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
        try
        {
            s_mark = typeof(Thread).GetProperty("IsThreadPoolThread", Internal)?.GetSetMethod(nonPublic: true)?.CreateDelegate<Action<Thread, bool>>();
            s_dispatch = typeof(Thread).Assembly.GetType("System.Threading.ThreadPoolWorkQueue")?.GetMethod("Dispatch", Internal, Type.EmptyTypes)?.CreateDelegate<Func<bool>>();
            return s_mark != null && s_dispatch != null ? 1 : 0;
        }
        catch (Exception exception) when (exception is AmbiguousMatchException or ArgumentException)
        {
            return 0;
        }
    }

    // Runs work items until none is left. An exception that leaves one ends the process, as on a
    // thread of the pool.
    private static void Work()
    {
        Thread thread = Thread.CurrentThread;
        bool before = thread.IsThreadPoolThread;
        s_mark!(thread, true);
        try
        {
            s_dispatch!();
        }
        finally
        {
            s_mark(thread, before);
        }
    }
}
