// Waits for locks on events of a host. The lock stays what it is: a thread tries to get it, waits
// on an event of the host if it is taken, and tries again. CoreLib calls this where a thread would
// block in .NET, and where it has released a lock while others wait.

using System;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;

namespace Soglia.Hosting;

internal static unsafe partial class Waiting
{
#pragma warning disable CS0649 // The engine assigns them.

    // As in the engine: functions of this class, which CoreLib calls, a count, and functions of the
    // engine.
    private struct Table
    {
        public delegate*<object, object?, int, int> Enter;
        public delegate*<object, object?, int, int> Released;
        public delegate*<object, object?, int, int> WaitOne;
        public delegate*<object, object?, int, int> Signal;
        public delegate*<object, object?, int, int> Release;
        public delegate*<object, object?, int, int> Wake;
        public delegate*<object, object?, int, int> WaitPulse;
        public delegate*<object, object?, int, int> Pulse;
        public delegate*<object, object?, int, int> Note;
        public long Contended;
        public long Pulsed;
        public delegate* unmanaged<int, int> Mine;
        public delegate* unmanaged<int, Event*> Make;
        public delegate* unmanaged<Event*, int, int, int> Wait;
        public delegate* unmanaged<Event*, void> Set;
        public delegate* unmanaged<Event*, void> Reset;
        public delegate* unmanaged<void> Pause;
    }

#pragma warning restore CS0649

    // As in the engine: the thread that owns the object, or the negative number that the system has
    // for it.
    private struct Event
    {
        public int Owner;
    }

    // What CoreLib does after a call of this class.
    private const int Over = 0;
    private const int Done = 1;
    private const int Own = 2;

    // Answers of Table.Wait; a failure of the host is negative.
    private const int ToLook = 0;
    private const int TimeOver = 1;
    private const int Interrupted = 2;
    private const int Abandoned = 4;

    // What threads wait for. The first is a Monitor, or the event of a Lock.
    private const int None = -1;
    private const int Lock = 0;
    private const int Auto = 1;
    private const int Manual = 2;
    private const int Count = 3;
    private const int Exclusive = 4;
    private const int Writer = 5;
    private const int Reader = 6;

    // An object that threads wait for, and the event that they wait on. When no thread waits, the
    // event is kept for another object.
    private sealed class Entry
    {
        public readonly int Kind;
        public readonly Event* Event;
        public object? Target;
        public int Waiters;
        // Whether the event is set, and no thread has come back from it since.
        public int Waking;
        // Whether the waiting threads were asked if one of them is the owner.
        public bool Asked;
        // The Lock or ReaderWriterLockSlim whose event the object is.
        public object? Guarded;
        // How often the object was set for threads that wait, and have not come back yet.
        public int Grants;
        // How often it was set, if it stays set.
        public long Epoch;
        // Whether the host's event may be set, if it stays set.
        public bool IsSet;
        // How often the engine has looked.
        public int Looks;

        public Entry(int kind, Event* made)
        {
            Kind = kind;
            Event = made;
        }

        public int Owner
        {
            get => Volatile.Read(ref Event->Owner);
            set => Volatile.Write(ref Event->Owner, value);
        }
    }

    private sealed class Bytes
    {
        public byte First;
    }

    private static Table* s_table;

    // Guards what follows. Threads that have it never wait.
    private static int s_taken;
    private static Entry[] s_entries = new Entry[16];
    private static int s_count;

    // The bits of an object's header that hold the number of the thread that has locked it; 0: they
    // are unknown.
    private static uint s_ownerBits;

    // The header says something else than who has locked the object.
    private const uint HasMore = 0x1800_0000;

    private static void Carry(Table* table)
    {
        s_table = table;
        s_ownerBits = FindOwnerBits();
        Prepare(typeof(Waiting));
        Prepare(typeof(Entry));
        Prepare(typeof(Pulse));
        Prepare(typeof(Limit));

        s_ownerOfLock = FindOwnerOfLock();
        table->Released = &Released;
        table->Signal = &Signal;
        table->Release = &Release;
        table->Wake = &Wake;
        table->Pulse = &PulseOf;
        table->Note = &Note;
        Volatile.Write(ref *(nint*)&table->WaitOne, (nint)(delegate*<object, object?, int, int>)&WaitOne);
        Volatile.Write(ref *(nint*)&table->WaitPulse, (nint)(delegate*<object, object?, int, int>)&WaitPulse);
        Volatile.Write(ref *(nint*)&table->Enter, (nint)(delegate*<object, object?, int, int>)&Enter);
    }

    // So that nothing has to be compiled or loaded where a thread waits.
    private static void Prepare(Type of)
    {
        const BindingFlags Every = BindingFlags.DeclaredOnly | BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
        foreach (MemberInfo member in of.GetMembers(Every))
        {
            if (member is MethodBase method)
            {
                RuntimeHelpers.PrepareMethod(method.MethodHandle);
            }
        }
    }

    // The next number in the header, above that of the thread, counts how often it has the lock.
    private static uint FindOwnerBits()
    {
        object probe = new();
        int own = Environment.CurrentManagedThreadId;
        lock (probe)
        {
            uint once = Header(probe);
            lock (probe)
            {
                uint more = Header(probe) - once;
                uint bits = more - 1;
                bool isKnown = ((once | more) & HasMore) == 0 && (more & bits) == 0 && (once & bits) == own;
                return isKnown ? bits : 0;
            }
        }
    }

    // Gives the number that the thread which has a Lock has in the system; 0: there is none.
    private static delegate*<object, ulong> s_ownerOfLock;

    private static delegate*<object, ulong> FindOwnerOfLock()
    {
        const BindingFlags Every = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
        Type? of = typeof(object).Assembly.GetType("System.Threading.Lock");
        MethodInfo? owner = of?.GetProperty("OwningThreadId", Every)?.GetMethod;
        bool isKnown = owner != null && owner.ReturnType == typeof(ulong);
        return isKnown ? (delegate*<object, ulong>)owner!.MethodHandle.GetFunctionPointer() : null;
    }

    // The 32 bits in front of an object.
    private static uint Header(object of)
    {
        fixed (byte* first = &Unsafe.As<Bytes>(of).First)
        {
            return Volatile.Read(ref *(uint*)(first - sizeof(nint) - sizeof(uint)));
        }
    }

    // A thread that calls ExecuteInDefaultAppDomain.
    internal static void Introduce()
    {
        if (s_table != null)
        {
            s_table->Mine(Environment.CurrentManagedThreadId);
        }
    }

    // Monitor.Enter of an object that another thread has, for so many milliseconds, or -1.
    private static int Enter(object of, object? unused, int time)
    {
        int own = Environment.CurrentManagedThreadId;
        if (time < -1 || s_table->Mine(own) == 0)
        {
            return Own;
        }

        for (int turn = 1; turn <= 64; turn *= 2)
        {
            if (Monitor.TryEnter(of))
            {
                return Done;
            }

            Thread.SpinWait(turn);
        }

        return WaitFor(of, own, time, true);
    }

    private static int WaitFor(object of, int own, int time, bool free)
    {
        Entry? entry = Register(of, Lock, null, out _);
        if (entry == null)
        {
            return Own;
        }

        try
        {
            var limit = new Limit(time);
            for (int vain = 0; ; vain++)
            {
                if (Monitor.TryEnter(of))
                {
                    entry.Owner = own;
                    return Done;
                }

                if (limit.IsOver(out int left))
                {
                    return Over;
                }

                if (vain > 16)
                {
                    // The event does not hold the thread back.
                    s_table->Pause();
                }

                Claim(own);
                int answer = s_table->Wait(entry.Event, left, free ? 1 : 0);
                Interlocked.Exchange(ref entry.Waking, 0);
                switch (answer)
                {
                    case ToLook:
                        break;
                    case TimeOver when time >= 0:
                        if (!Monitor.TryEnter(of))
                        {
                            return Over;
                        }

                        entry.Owner = own;
                        return Done;
                    case Interrupted:
                        SleepInternal(null, 0);
                        break;
                    case < 0:
                        throw Marshal.GetExceptionForHR(answer)!;
                    default:
                        return Own;
                }
            }
        }
        finally
        {
            Unregister(entry);
        }
    }

    // Throws if the thread was interrupted.
    [UnsafeAccessor(UnsafeAccessorKind.StaticMethod, Name = "SleepInternal")]
    private static extern void SleepInternal(Thread? of, int time);

    // A thread has released an object, or has it once less, while threads wait for some objects.
    private static int Released(object of, object? unused, int unused2)
    {
        Event* made = null;
        Take();
        Entry? entry = Find(of);
        if (entry != null && !Monitor.IsEntered(of))
        {
            entry.Owner = 0;
            if (Interlocked.Exchange(ref entry.Waking, 1) == 0)
            {
                made = entry.Event;
            }
        }

        Give();
        if (made != null)
        {
            s_table->Set(made);
        }

        return 0;
    }

    // Notes the owners that can be seen from this thread, which is about to wait. In a deadlock
    // each owner waits itself, so that all of them are seen.
    private static void Claim(int own)
    {
        Take();
        for (int i = 0; i < s_count; i++)
        {
            Entry entry = s_entries[i];
            object? of = entry.Target;
            if (of == null)
            {
                continue;
            }

            if (entry.Guarded is ReaderWriterLockSlim readers)
            {
                int writer = Volatile.Read(ref WritersNumber(readers));
                entry.Owner = Math.Max(0, writer > 0 ? writer : Volatile.Read(ref UpgradersNumber(readers)));
                continue;
            }

            if (entry.Guarded != null)
            {
                entry.Owner = s_ownerOfLock == null ? 0 : -(int)s_ownerOfLock(entry.Guarded);
                continue;
            }

            if (entry.Kind != Lock)
            {
                continue;
            }

            uint header = Header(of);
            if (s_ownerBits != 0 && (header & HasMore) == 0)
            {
                entry.Owner = (int)(header & s_ownerBits);
            }
            else if (Monitor.IsEntered(of))
            {
                entry.Owner = own;
            }
            else if (entry.Owner == own)
            {
                entry.Owner = 0;
            }
        }

        Give();
    }

    // On a thread of the engine, now and then: wakes those who wait for what is free. Returns for
    // how many objects threads wait.
    private static int Check()
    {
        Entry[] all;
        object?[] of;
        int count;
        while (true)
        {
            count = Volatile.Read(ref s_count);
            all = new Entry[count];
            of = new object?[count];
            Take();
            bool fits = count == s_count;
            for (int i = 0; fits && i < count; i++)
            {
                all[i] = s_entries[i];
                of[i] = all[i].Target;
            }

            Give();
            if (fits)
            {
                break;
            }
        }

        bool asks = false;
        int waited = 0;
        for (int i = 0; i < count; i++)
        {
            if (of[i] is not { } target)
            {
                continue;
            }

            waited++;
            if (all[i].Guarded != null || all[i].Kind != Lock)
            {
                // Set by native code, it may be. Looking at it would take it away.
                int looks = ++all[i].Looks;
                if ((looks & (looks - 1)) == 0 || looks % 32 == 0)
                {
                    s_table->Set(all[i].Event);
                }

                continue;
            }

            if (Monitor.TryEnter(target))
            {
                Interlocked.Exchange(ref all[i].Waking, 0);
                Monitor.Exit(target);
            }
            else if (all[i].Owner == 0 && !all[i].Asked)
            {
                all[i].Asked = asks = true;
            }
        }

        for (int i = 0; asks && i < count; i++)
        {
            if (of[i] != null && all[i].Kind == Lock)
            {
                s_table->Set(all[i].Event);
            }
        }

        return waited;
    }

    // Notes that a thread waits for an object. Null: the host has no event for it.
    private static Entry? Register(object of, int kind, object? guarded, out long seen)
    {
        seen = 0;
        Entry? made = null;
        while (true)
        {
            Entry[]? larger = made != null && s_count == s_entries.Length ? new Entry[2 * s_entries.Length] : null;
            Take();
            if (made != null)
            {
                if (s_count == s_entries.Length && larger != null)
                {
                    Array.Copy(s_entries, larger, s_count);
                    s_entries = larger;
                }

                if (s_count < s_entries.Length)
                {
                    s_entries[s_count++] = made;
                    made = null;
                }
            }

            Entry? entry = made == null ? Find(of) ?? FindIdle(kind) : null;
            if (entry != null)
            {
                if (entry.Waiters++ == 0)
                {
                    entry.Target = of;
                    entry.Waking = 0;
                    entry.Asked = false;
                    entry.Guarded = guarded;
                    entry.Grants = 0;
                    entry.Looks = 0;
                    Interlocked.Increment(ref s_table->Contended);
                }

                seen = entry.Epoch;
                Give();
                return entry;
            }

            Give();
            if (made == null)
            {
                Event* given = s_table->Make(kind);
                if (given == null)
                {
                    return null;
                }

                made = new Entry(kind, given);
            }
        }
    }

    private static void Unregister(Entry entry)
    {
        Take();
        Off(entry);
        Give();
    }

    private static void Off(Entry entry)
    {
        if (--entry.Waiters == 0)
        {
            entry.Target = null;
            entry.Guarded = null;
            entry.Owner = 0;
            Interlocked.Decrement(ref s_table->Contended);
        }
    }

    private static Entry? Find(object of)
    {
        for (int i = 0; i < s_count; i++)
        {
            if (ReferenceEquals(s_entries[i].Target, of))
            {
                return s_entries[i];
            }
        }

        return null;
    }

    private static Entry? FindIdle(int kind)
    {
        for (int i = 0; i < s_count; i++)
        {
            if (s_entries[i].Target == null && s_entries[i].Kind == kind)
            {
                return s_entries[i];
            }
        }

        return null;
    }

    private static void Take()
    {
        for (int turn = 0; Interlocked.CompareExchange(ref s_taken, 1, 0) != 0; turn++)
        {
            if (turn < 100)
            {
                Thread.SpinWait(10);
            }
            else
            {
                s_table->Pause();
            }
        }
    }

    private static void Give() => Volatile.Write(ref s_taken, 0);
}
