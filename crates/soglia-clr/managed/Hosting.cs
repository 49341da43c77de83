// What only managed code can ask .NET, for the hosting API. The engine contains this assembly and
// calls its methods as native functions. Each takes and returns numbers or pointers, has a name of
// its own, and does not throw.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Threading;
using ThreadState = System.Threading.ThreadState;

namespace Soglia.Hosting;

internal static unsafe class Managed
{
    private struct GCStatistics
    {
        public fixed long Collections[3];
        public long Committed;
        public fixed long Sizes[4];
    }

    private struct Resources
    {
        public long Allocated;
        public long Survived;
    }

    private const int ThreadAborted = unchecked((int)0x80131530);
    private const int FileNotFound = unchecked((int)0x80070002);
    private const int MissingMethod = unchecked((int)0x80131513);
    private const int UnknownException = unchecked((int)0x80131500);

    // A call whose waits can be ended.
    public sealed class Execution
    {
        public readonly Thread Thread = Thread.CurrentThread;
        public volatile bool WasInterrupted;
        public bool IsOver;
    }

    // ExecuteInDefaultAppDomain, and the same in another domain. From .NET 9 on, CoreCLR's own ends
    // the process when the method throws. This one returns the HRESULT.
    private static int Execute(nint domain, char* assembly, char* type, char* method, char* argument, nint execution, int* result)
    {
        Execution? controlled = ExecutionOf(execution);
        try
        {
            const BindingFlags Every = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.FlattenHierarchy;
            Domain? within = Domains.Of(domain);
            using var scope = Domains.Enter(within);
            Type declaring = Domains.Find(within, new string(assembly)).GetType(new string(type), throwOnError: true)!;
            MethodInfo? found = declaring.GetMethod(new string(method), Every, new[] { typeof(string) });
            if (found == null || found.ReturnType != typeof(int) || found.GetParameters()[0].ParameterType != typeof(string))
            {
                return MissingMethod;
            }

            *result = found.CreateDelegate<Func<string?, int>>()(argument == null ? null : new string(argument));
            return 0;
        }
        catch (Exception exception)
        {
            return Failure(exception, controlled);
        }
    }

    // The HRESULT of an exception that ended a call.
    public static int Failure(Exception exception, Execution? controlled = null)
    {
        if (exception is ThreadInterruptedException && controlled is { WasInterrupted: true })
        {
            return ThreadAborted;
        }

        return exception.HResult < 0 ? exception.HResult : UnknownException;
    }

    public static Execution? ExecutionOf(nint execution) => execution == 0 ? null : Find(execution);

    private static Execution Find(nint execution) => (Execution)GCHandle.FromIntPtr(execution).Target!;

    private static nint Begin()
    {
        Waiting.Introduce();
        return GCHandle.ToIntPtr(GCHandle.Alloc(new Execution()));
    }

    private static int Waits(nint execution) => (Find(execution).Thread.ThreadState & ThreadState.WaitSleepJoin) != 0 ? 1 : 0;

    // The host is not notified: the thread that calls this is not one of its tasks.
    private static int Interrupt(nint execution)
    {
        Execution interrupted = Find(execution);
        lock (interrupted)
        {
            if (interrupted.IsOver)
            {
                return 0;
            }

            interrupted.WasInterrupted = true;
            interrupted.Thread.Interrupt();
            return 1;
        }
    }

    private static void End(nint execution)
    {
        Execution over = Find(execution);
        while (!over.IsOver)
        {
            try
            {
                lock (over)
                {
                    over.IsOver = true;
                }
            }
            catch (ThreadInterruptedException)
            {
            }
        }

        if (over.WasInterrupted)
        {
            // It may have come when the wait was over; then it is still to come.
            try
            {
                Thread.Sleep(0);
                Thread.Sleep(1);
            }
            catch (ThreadInterruptedException)
            {
            }
        }
    }

    private static void ForgetExecution(nint execution) => GCHandle.FromIntPtr(execution).Free();

    private static void Collect(int generation)
    {
        if (generation < 0)
        {
            GC.Collect();
        }
        else
        {
            GC.Collect(generation);
        }
    }

    private static void Statistics(GCStatistics* into)
    {
        for (int generation = 0; generation < 3; generation++)
        {
            into->Collections[generation] = GC.CollectionCount(generation);
        }

        GCMemoryInfo last = GC.GetGCMemoryInfo();
        into->Committed = last.TotalCommittedBytes;
        ReadOnlySpan<GCGenerationInfo> generations = last.GenerationInfo;
        for (int generation = 0; generation < 4 && generation < generations.Length; generation++)
        {
            into->Sizes[generation] = generations[generation].SizeAfterBytes;
        }
    }

    private static void Used(Resources* into)
    {
        into->Allocated = GC.GetTotalAllocatedBytes();
        into->Survived = GC.GetGCMemoryInfo(GCKind.FullBlocking).HeapSizeBytes;
    }

    private static delegate* unmanaged<int, void> s_tell;

    // From here on the function gets what ends the program: 0 for an exit, 1 for an exception that
    // no handler catches.
    private static void Watch(delegate* unmanaged<int, void> tell)
    {
        s_tell = tell;
        AppDomain.CurrentDomain.ProcessExit += static (_, _) => s_tell(0);
        AppDomain.CurrentDomain.UnhandledException += static (_, _) => s_tell(1);
    }

    // From here on, an exception that no handler catches ends its thread only. .NET 10 can do that.
    private static int KeepRunning()
    {
        try
        {
            MethodInfo? set = typeof(object).Assembly
                .GetType("System.Runtime.ExceptionServices.ExceptionHandling")?
                .GetMethod("SetUnhandledExceptionHandler", new[] { typeof(Func<Exception, bool>) });
            set?.Invoke(null, new object[] { new Func<Exception, bool>(static _ => true) });
            return set == null ? 0 : 1;
        }
        catch (TargetInvocationException)
        {
            // The program has a handler of its own.
            return 0;
        }
    }

    private static void Forget(char* variable) => Environment.SetEnvironmentVariable(new string(variable), null);

    // What the host provides of an assembly.
    private struct Provided
    {
        public ulong Id;
        public byte* Image;
        public nint ImageBytes;
        public byte* Symbols;
        public nint SymbolsBytes;
    }

    private static delegate* unmanaged<char*, int, Provided*, int> s_provide;
    private static delegate* unmanaged<Provided*, void> s_done;
    private static readonly Dictionary<ulong, Assembly> s_provided = new();

    // From here on, the host is asked for each assembly that .NET does not find.
    private static void Serve(delegate* unmanaged<char*, int, Provided*, int> provide, delegate* unmanaged<Provided*, void> done)
    {
        s_done = done;
        s_provide = provide;
        AssemblyLoadContext.Default.Resolving += Resolve;
    }

    private static Assembly? Resolve(AssemblyLoadContext context, AssemblyName name) => Domain.Lacked(name) ? null : Ask(context, name, 1, s_provided);

    // Asks the host for an assembly of this domain.
    public static Assembly? Provide(Domain domain, AssemblyName name) => s_provide == null ? null : Ask(domain, name, domain.Number, domain.Provided);

    private static Assembly? Ask(AssemblyLoadContext context, AssemblyName name, int domain, Dictionary<ulong, Assembly> all)
    {
        Provided provided = default;
        int answer;
        fixed (char* identity = name.FullName)
        {
            answer = s_provide(identity, domain, &provided);
        }

        if (answer == FileNotFound)
        {
            // .NET looks on, and throws or not, as its caller wishes. Only what it would find must
            // not be found.
            return IsBeside(context, name.Name) ? throw new FileNotFoundException($"The host has no assembly {name.FullName}.", name.FullName) : null;
        }

        if (answer < 0)
        {
            throw new FileLoadException($"The host did not provide {name.FullName} (0x{answer:X8}).", name.FullName, Marshal.GetExceptionForHR(answer)) { HResult = answer };
        }

        if (answer > 0)
        {
            return null;
        }

        try
        {
            // The same assembly may have several identities.
            lock (all)
            {
                if (provided.Id == 0 || !all.TryGetValue(provided.Id, out Assembly? assembly))
                {
                    using var image = new UnmanagedMemoryStream(provided.Image, provided.ImageBytes);
                    using var symbols = provided.Symbols == null ? null : new UnmanagedMemoryStream(provided.Symbols, provided.SymbolsBytes);
                    assembly = context.LoadFromStream(image, symbols);
                    if (provided.Id != 0)
                    {
                        all.Add(provided.Id, assembly);
                    }
                }

                return assembly;
            }
        }
        finally
        {
            s_done(&provided);
        }
    }

    // Whether a file of that name lies beside an assembly that was loaded from a file.
    private static bool IsBeside(AssemblyLoadContext context, string? name)
    {
        foreach (Assembly loaded in context.Assemblies)
        {
            string place = loaded.IsDynamic ? "" : loaded.Location;
            if (place.Length > 0 && File.Exists(Path.Combine(Path.GetDirectoryName(place)!, name + ".dll")))
            {
                return true;
            }
        }

        return false;
    }

    private static long Allocated() => GC.GetAllocatedBytesForCurrentThread();

    private static int DebuggerAttached() => Debugger.IsAttached ? 1 : 0;

    private static int SetCulture(int lcid, int ofUI)
    {
        try
        {
            CultureInfo culture = CultureInfo.GetCultureInfo(lcid);
            if (ofUI != 0)
            {
                CultureInfo.CurrentUICulture = culture;
            }
            else
            {
                CultureInfo.CurrentCulture = culture;
            }

            return 1;
        }
        catch (ArgumentException)
        {
            return 0;
        }
    }
}
