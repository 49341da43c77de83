// Domains besides the first: contexts of assemblies that can go again. The engine numbers them, and
// knows each by a handle. A handle of 0 is the first domain.

using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace Soglia.Hosting;

// A domain has its own copies of all assemblies except those of the framework.
internal sealed class Domain : AssemblyLoadContext
{
    // Simple names of assemblies that .NET has for all domains.
    private static readonly HashSet<string> s_shared = new(Names(AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES") as string).Keys, StringComparer.OrdinalIgnoreCase);

    private readonly Dictionary<string, string> _files;
    private readonly List<string> _folders = new();
    private readonly List<string> _native = new();

    // Where assemblies lie that were loaded from files.
    private readonly List<string> _beside = new();

    // What knows the dependencies of each of them. Also the lock of both lists.
    private readonly List<AssemblyDependencyResolver> _resolvers = new();

    [ThreadStatic]
    private static string? t_lacks;

    public readonly int Number;

    // What the host has provided for this domain, by its number.
    public readonly Dictionary<ulong, Assembly> Provided = new();

    // Pointers to its methods, by their handles. .NET makes a new one each time.
    public readonly Dictionary<nint, nint> Pointers = new();

    // The object of the type that the host has named.
    public object? Manager;

    public Domain(int number, string name, Dictionary<string, string> properties)
        : base(name, isCollectible: true)
    {
        Number = number;
        _files = Names(properties.GetValueOrDefault("TRUSTED_PLATFORM_ASSEMBLIES"));
        _folders.AddRange(Parts(properties.GetValueOrDefault("APP_PATHS")));
        _folders.AddRange(Parts(properties.GetValueOrDefault("APPBASE")));
        _native.AddRange(Parts(properties.GetValueOrDefault("NATIVE_DLL_SEARCH_DIRECTORIES")));
    }

    private static IEnumerable<string> Parts(string? list)
    {
        foreach (string part in (list ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            yield return Path.GetFullPath(part);
        }
    }

    // The files of a list, by the simple names of their assemblies. The first of a name counts.
    private static Dictionary<string, string> Names(string? list)
    {
        Dictionary<string, string> files = new(StringComparer.OrdinalIgnoreCase);
        foreach (string file in Parts(list))
        {
            files.TryAdd(Path.GetFileNameWithoutExtension(file), file);
        }

        return files;
    }

    // By a file, or by an identity.
    public Assembly Find(string assembly)
    {
        if (!assembly.Contains('/'))
        {
            return LoadFromAssemblyName(new AssemblyName(assembly));
        }

        Assembly found = LoadFromAssemblyPath(assembly);
        string folder = Path.GetDirectoryName(assembly)!;
        lock (_resolvers)
        {
            if (!_beside.Contains(folder))
            {
                _beside.Add(folder);
            }

            try
            {
                _resolvers.Add(new AssemblyDependencyResolver(assembly));
            }
            catch (InvalidOperationException)
            {
                // .NET was started without hostfxr, so nothing reads lists of dependencies.
            }
        }

        return found;
    }

    protected override Assembly? Load(AssemblyName name)
    {
        if (name.Name is not { } simple || s_shared.Contains(simple))
        {
            return null;
        }

        string file = string.IsNullOrEmpty(name.CultureName) ? simple + ".dll" : Path.Combine(name.CultureName, simple + ".dll");
        if ((Listed(simple, name) ?? InOne(_folders, file)) is { } own)
        {
            return LoadFromAssemblyPath(own);
        }

        if (Managed.Provide(this, name) is { } provided)
        {
            return provided;
        }

        if (Beside(name, file) is { } beside)
        {
            return LoadFromAssemblyPath(beside);
        }

        foreach (Assembly loaded in Default.Assemblies)
        {
            if (string.Equals(loaded.GetName().Name, simple, StringComparison.OrdinalIgnoreCase))
            {
                // .NET would take the one of the first domain.
                throw new FileNotFoundException($"The domain {Name} has no assembly {name.FullName}.", name.FullName);
            }
        }

        // .NET goes on as if the first domain had asked.
        t_lacks = name.FullName;
        return null;
    }

    // Whether a domain of this thread has just not found the assembly.
    public static bool Lacked(AssemblyName name)
    {
        bool isSame = t_lacks == name.FullName;
        t_lacks = null;
        return isSame;
    }

    private string? Listed(string simple, AssemblyName name) =>
        string.IsNullOrEmpty(name.CultureName) && _files.TryGetValue(simple, out string? file) && File.Exists(file) ? file : null;

    // As its list of dependencies says, or in its folder.
    private string? Beside(AssemblyName name, string file)
    {
        lock (_resolvers)
        {
            foreach (AssemblyDependencyResolver resolver in _resolvers)
            {
                if (resolver.ResolveAssemblyToPath(name) is { } found)
                {
                    return found;
                }
            }

            return InOne(_beside, file);
        }
    }

    protected override nint LoadUnmanagedDll(string name)
    {
        string? file = null;
        lock (_resolvers)
        {
            foreach (AssemblyDependencyResolver resolver in _resolvers)
            {
                file ??= resolver.ResolveUnmanagedDllToPath(name);
            }

            foreach (string form in name.Contains('/') ? Array.Empty<string>() : new[] { name, $"lib{name}.so", $"{name}.so", $"lib{name}" })
            {
                file ??= InOne(_native, form);
            }
        }

        return file == null ? 0 : LoadUnmanagedDllFromPath(file);
    }

    private static string? InOne(List<string> folders, string file)
    {
        foreach (string folder in folders)
        {
            string path = Path.Combine(folder, file);
            if (File.Exists(path))
            {
                return path;
            }
        }

        return null;
    }
}

internal static unsafe class Domains
{
    private const int MissingMethod = unchecked((int)0x80131513);
    private const int InvalidOperation = unchecked((int)0x80131509);

    private const BindingFlags Every = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.FlattenHierarchy;

    // As in the engine: a method that native code can call, and what it takes.
    private struct Function
    {
        public nint Address;
        public long Integers;
        public long Floats;
        public long Structs;
        public long StructBytes;
        public long InMemory;
    }

    public static Domain? Of(nint handle) => handle == 0 ? null : (Domain)GCHandle.FromIntPtr(handle).Target!;

    // By a file, or by the identity of an assembly.
    public static Assembly Find(Domain? domain, string assembly)
    {
        if (domain != null)
        {
            return domain.Find(assembly);
        }

        return assembly.Contains('/')
            ? AssemblyLoadContext.Default.LoadFromAssemblyPath(assembly)
            : AssemblyLoadContext.Default.LoadFromAssemblyName(new AssemblyName(assembly));
    }

    // Code of the framework loads assemblies into this domain meanwhile. Threads and tasks that
    // begin meanwhile keep it.
    public static AssemblyLoadContext.ContextualReflectionScope Enter(Domain? domain)
    {
        if (domain != null)
        {
            return domain.EnterContextualReflection();
        }

        return AssemblyLoadContext.CurrentContextualReflectionContext is Domain
            ? AssemblyLoadContext.EnterContextualReflection(null)
            : default;
    }

    // The domain of the code that has begun the thread or the task.
    private static int Current() => AssemblyLoadContext.CurrentContextualReflectionContext is Domain domain ? domain.Number : 1;

    private static int Create(int number, char* name, int count, char** names, char** values, nint* handle)
    {
        try
        {
            Dictionary<string, string> properties = new();
            for (int i = 0; i < count; i++)
            {
                properties[new string(names[i])] = new string(values[i]);
            }

            *handle = GCHandle.ToIntPtr(GCHandle.Alloc(new Domain(number, new string(name), properties)));
            return 0;
        }
        catch (Exception exception)
        {
            return Managed.Failure(exception);
        }
    }

    // Makes an object of that type, for as long as the domain lives.
    private static int Manage(nint handle, char* assembly, char* type)
    {
        try
        {
            Domain domain = Of(handle)!;
            using var scope = Enter(domain);
            Type manager = domain.Find(new string(assembly)).GetType(new string(type), throwOnError: true)!;
            const BindingFlags Constructors = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DoNotWrapExceptions;
            domain.Manager = Activator.CreateInstance(manager, Constructors, null, null, null);
            return 0;
        }
        catch (Exception exception)
        {
            return Managed.Failure(exception);
        }
    }

    // What a native caller gets of an UnmanagedCallersOnly method.
    private static int Export(nint handle, char* assembly, char* type, char* method, Function* function)
    {
        try
        {
            Domain domain = Of(handle)!;
            using var scope = Enter(domain);
            MethodInfo? found = domain.Find(new string(assembly)).GetType(new string(type), throwOnError: true)!.GetMethod(new string(method), Every);
            if (found == null)
            {
                return MissingMethod;
            }

            if (!found.IsDefined(typeof(UnmanagedCallersOnlyAttribute), inherit: false))
            {
                return InvalidOperation;
            }

            function->InMemory = IsStruct(found.ReturnType) && SizeOf(found.ReturnType) > 2 * sizeof(nint) ? 1 : 0;
            foreach (ParameterInfo parameter in found.GetParameters())
            {
                Type of = parameter.ParameterType;
                if (of == typeof(float) || of == typeof(double))
                {
                    function->Floats++;
                }
                else if (IsStruct(of))
                {
                    function->Structs++;
                    function->StructBytes += SizeOf(of);
                }
                else
                {
                    function->Integers++;
                }
            }

            lock (domain.Pointers)
            {
                ref nint pointer = ref CollectionsMarshal.GetValueRefOrAddDefault(domain.Pointers, found.MethodHandle.Value, out bool isKnown);
                if (!isKnown)
                {
                    pointer = found.MethodHandle.GetFunctionPointer();
                }

                function->Address = pointer;
            }

            return 0;
        }
        catch (Exception exception)
        {
            return Managed.Failure(exception);
        }
    }

    private static bool IsStruct(Type type) => type is { IsValueType: true, IsPrimitive: false, IsEnum: false } && type != typeof(void);

    private static int SizeOf(Type type) => (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    // ExecuteAssembly: calls Main.
    private static int Run(nint handle, char* assembly, int count, char** arguments, nint execution, int* result)
    {
        Managed.Execution? controlled = Managed.ExecutionOf(execution);
        try
        {
            Domain domain = Of(handle)!;
            using var scope = Enter(domain);
            if (domain.Find(new string(assembly)).EntryPoint is not { } main)
            {
                return MissingMethod;
            }

            string[] texts = new string[count];
            for (int i = 0; i < count; i++)
            {
                texts[i] = new string(arguments[i]);
            }

            object?[] passed = main.GetParameters().Length == 0 ? Array.Empty<object?>() : new object?[] { texts };
            *result = main.Invoke(null, BindingFlags.DoNotWrapExceptions, null, passed, null) is int code ? code : 0;
            return 0;
        }
        catch (Exception exception)
        {
            return Managed.Failure(exception, controlled);
        }
    }

    // Begins to unload a domain. Gives another handle for it, which does not keep it.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint Unload(nint handle)
    {
        Domain domain = Of(handle)!;
        nint weak = GCHandle.ToIntPtr(GCHandle.Alloc(domain, GCHandleType.WeakTrackResurrection));
        GCHandle.FromIntPtr(handle).Free();
        try
        {
            domain.Unload();
        }
        catch (Exception)
        {
            // A handler of Unloading threw. None is left that could do it again.
            domain.Unload();
        }

        domain.Manager = null;
        lock (domain.Provided)
        {
            domain.Provided.Clear();
        }

        return weak;
    }

    // Whether it is gone, which only a collection finds out.
    private static int IsGone(nint weak, int collect)
    {
        if (collect != 0)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        if (GCHandle.FromIntPtr(weak).Target != null)
        {
            return 0;
        }

        GCHandle.FromIntPtr(weak).Free();
        return 1;
    }
}
