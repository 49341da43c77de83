// Waits for events, semaphores and mutexes, and for pulses, on events of a host.

using System;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;

namespace Soglia.Hosting;

internal static unsafe partial class Waiting
{
    // A thread in Monitor.Wait, and the event that it waits on. Kept for other waits afterwards.
    private sealed class Pulse
    {
        public readonly Event* Event;
        public object? Target;
        public bool IsThere;
        public Pulse? Next;

        public Pulse(Event* made)
        {
            Event = made;
        }
    }

    // Those who wait, the longest first, and what is kept. Guarded as the entries are.
    private static Pulse? s_first;
    private static Pulse? s_kept;

    // The reader-writer lock whose event the running thread is about to wait for.
    [ThreadStatic]
    private static object? t_guarded;
    [ThreadStatic]
    private static object? t_guard;
    [ThreadStatic]
    private static int t_guardKind;

    // Writes down a ReaderWriterLockSlim, before it waits for its event as a reader (0) or another.
    private static int Note(object guarded, object? guard, int how)
    {
        t_guarded = guarded;
        t_guard = guard;
        t_guardKind = how == 0 ? Reader : Writer;
        return Own;
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_writeLockOwnerId")]
    private static extern ref int WritersNumber(ReaderWriterLockSlim of);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_upgradeLockOwnerId")]
    private static extern ref int UpgradersNumber(ReaderWriterLockSlim of);

    // WaitHandle.WaitOne, for so many milliseconds, or -1. `guarded` is the Lock whose event it is.
    private static int WaitOne(object of, object? guarded, int time)
    {
        var handle = (WaitHandle)of;
        int own = Environment.CurrentManagedThreadId;
        int kind = handle switch
        {
            AutoResetEvent => guarded == null ? Auto : Lock,
            ManualResetEvent => Manual,
            Semaphore => Count,
            Mutex => Exclusive,
            _ => None,
        };
        if (ReferenceEquals(t_guard, of))
        {
            kind = t_guardKind;
            guarded = t_guarded;
            t_guard = t_guarded = null;
        }

        if (kind == None || time < -1 || s_table->Mine(own) == 0 || SynchronizationContext.Current?.IsWaitNotificationRequired() == true)
        {
            return Own;
        }

        if (handle.WaitOne(0))
        {
            return Done;
        }

        Entry? entry = Register(handle, kind, guarded, out long seen);
        if (entry == null)
        {
            return Own;
        }

        bool isListed = true;
        try
        {
            var limit = new Limit(time);
            for (int vain = 0; ; vain++)
            {
                if (Granted(entry, seen))
                {
                    isListed = false;
                    return Done;
                }

                if (handle.WaitOne(0))
                {
                    return Done;
                }

                if (limit.IsOver(out int left))
                {
                    isListed = false;
                    return Leave(entry, seen) ? Done : Over;
                }

                if (vain > 16)
                {
                    s_table->Pause();
                }

                if (IsManual(kind) && !Prepare(entry))
                {
                    // Others have not come back from the event yet.
                    s_table->Pause();
                    continue;
                }

                if (IsManual(kind) && (Volatile.Read(ref entry.Epoch) != seen || handle.WaitOne(0)))
                {
                    vain = 0;
                    continue;
                }

                if (guarded != null)
                {
                    Claim(own);
                }

                int answer = s_table->Wait(entry.Event, left, 1);
                Interlocked.Exchange(ref entry.Waking, 0);
                entry.IsSet = true;
                switch (answer)
                {
                    case ToLook:
                        break;
                    case TimeOver when time >= 0:
                        if (handle.WaitOne(0))
                        {
                            return Done;
                        }

                        isListed = false;
                        return Leave(entry, seen) ? Done : Over;
                    case Interrupted:
                        SleepInternal(null, 0);
                        break;
                    case < 0:
                        throw Marshal.GetExceptionForHR(answer)!;
                    default:
                        isListed = false;
                        return Leave(entry, seen) ? Done : Own;
                }
            }
        }
        finally
        {
            if (isListed && Leave(entry, seen))
            {
                // It was meant for this thread, which does not need it.
                PassOn(handle, kind);
            }
        }
    }

    private static bool IsManual(int kind) => kind is Manual or Reader;

    private static void PassOn(WaitHandle handle, int kind)
    {
        if (kind == Count)
        {
            ((Semaphore)handle).Release();
        }
        else if (!IsManual(kind))
        {
            ((EventWaitHandle)handle).Set();
        }
    }

    // Takes what was given to one of those who wait, and takes the thread off the list.
    private static bool Granted(Entry entry, long seen)
    {
        Take();
        bool granted = IsManual(entry.Kind) ? entry.Epoch != seen : entry.Grants > 0;
        bool more = false;
        if (granted)
        {
            entry.Grants--;
            more = entry.Grants > 0;
            Off(entry);
        }

        Give();
        if (more)
        {
            s_table->Set(entry.Event);
        }

        return granted;
    }

    // Takes the thread off the list. Whether something was given to it meanwhile.
    private static bool Leave(Entry entry, long seen)
    {
        Take();
        bool granted = IsManual(entry.Kind) ? entry.Epoch != seen : entry.Grants >= entry.Waiters;
        if (granted)
        {
            entry.Grants--;
        }

        bool more = entry.Grants > 0;
        Off(entry);
        Give();
        if (more)
        {
            s_table->Set(entry.Event);
        }

        return granted;
    }

    // Makes an event that stays set ready to be waited on. Not while others have to come back.
    private static bool Prepare(Entry entry)
    {
        Take();
        bool ready = entry.Grants == 0;
        bool resets = ready && entry.IsSet;
        if (resets)
        {
            entry.IsSet = false;
        }

        Give();
        if (resets)
        {
            s_table->Reset(entry.Event);
        }

        return ready;
    }

    // EventWaitHandle.Set: before (0), and after (1). Where threads wait, each Set of an event that
    // resets itself is for one of them, as in .NET, where it finds them waiting.
    private static int Signal(object of, object? unused, int after)
    {
        Event* made = null;
        int answer = Own;
        Take();
        Entry? entry = Find(of);
        if (entry != null)
        {
            if (IsManual(entry.Kind))
            {
                if (after == 1)
                {
                    entry.Epoch++;
                    entry.Grants = entry.Waiters;
                    entry.IsSet = true;
                    made = entry.Event;
                }
            }
            else if (after == 1)
            {
                made = entry.Event;
            }
            else if (entry.Grants < entry.Waiters)
            {
                entry.Grants++;
                made = entry.Event;
                answer = Done;
            }
        }

        Give();
        if (made != null)
        {
            s_table->Set(made);
        }

        return answer;
    }

    // Semaphore.Release of so many, before .NET does it. How many are left for .NET.
    private static int Release(object of, object? unused, int number)
    {
        int given = 0;
        Event* made = null;
        Take();
        Entry? entry = Find(of);
        if (entry != null)
        {
            given = Math.Min(number, entry.Waiters - entry.Grants);
            entry.Grants += given;
            made = entry.Event;
        }

        Give();
        for (int i = 0; i < given; i++)
        {
            s_table->Set(made);
        }

        return number - given;
    }

    // Something was released: one of those who wait looks.
    private static int Wake(object of, object? unused, int unused2)
    {
        Event* made = null;
        Take();
        Entry? entry = Find(of);
        if (entry != null)
        {
            made = entry.Event;
        }

        Give();
        if (made != null)
        {
            s_table->Set(made);
        }

        return 0;
    }

    // Monitor.Wait, for so many milliseconds, or -1.
    private static int WaitPulse(object of, object? unused, int time)
    {
        int own = Environment.CurrentManagedThreadId;
        if (of == null || time < -1 || s_table->Mine(own) == 0 || !Monitor.IsEntered(of))
        {
            return Own;
        }

        Pulse? pulse = Keep(of);
        if (pulse == null)
        {
            return Own;
        }

        int times = 0;
        do
        {
            Monitor.Exit(of);
            times++;
        }
        while (Monitor.IsEntered(of));

        Exception? thrown = null;
        var limit = new Limit(time);
        for (int vain = 0; !Volatile.Read(ref pulse.IsThere) && !limit.IsOver(out int left); vain++)
        {
            if (vain > 16)
            {
                s_table->Pause();
            }

            int answer = s_table->Wait(pulse.Event, left, 1);
            if (answer == TimeOver && time >= 0)
            {
                break;
            }

            if (answer < 0)
            {
                thrown = Marshal.GetExceptionForHR(answer);
                break;
            }

            if (answer != ToLook)
            {
                // The host does not wait: the thread looks itself.
                try
                {
                    SleepInternal(null, answer == Interrupted ? 0 : 1);
                }
                catch (ThreadInterruptedException interrupted)
                {
                    thrown = interrupted;
                    break;
                }
            }
        }

        bool isThere = Forget(pulse);
        if (thrown != null && isThere)
        {
            SendPulse(of, false);
        }

        Reenter(of, own, times);
        return thrown == null ? isThere ? Done : Over : throw thrown;
    }

    // Gets a lock back, so many times. Nothing ends that.
    private static void Reenter(object of, int own, int times)
    {
        while (!Monitor.TryEnter(of))
        {
            if (WaitFor(of, own, -1, false) == Done)
            {
                break;
            }

            s_table->Pause();
        }

        while (--times > 0)
        {
            Monitor.TryEnter(of);
        }
    }

    // Monitor.Pulse (0) and PulseAll (1).
    private static int PulseOf(object of, object? unused, int all)
    {
        if (of == null || !Monitor.IsEntered(of))
        {
            return Own;
        }

        bool sent = SendPulse(of, all == 1);
        // .NET wakes all those who wait by its own means as well.
        return sent && all == 0 ? Done : Own;
    }

    private static bool SendPulse(object of, bool all)
    {
        bool sent = false;
        while (true)
        {
            Take();
            Pulse? pulse = s_first;
            while (pulse != null && (pulse.IsThere || !ReferenceEquals(pulse.Target, of)))
            {
                pulse = pulse.Next;
            }

            if (pulse != null)
            {
                pulse.IsThere = true;
            }

            Give();
            if (pulse == null)
            {
                return sent;
            }

            s_table->Set(pulse.Event);
            sent = true;
            if (!all)
            {
                return true;
            }
        }
    }

    // Puts the thread at the end of those who wait.
    private static Pulse? Keep(object of)
    {
        Take();
        Pulse? pulse = s_kept;
        if (pulse != null)
        {
            s_kept = pulse.Next;
        }

        Give();
        if (pulse == null)
        {
            Event* made = s_table->Make(Auto);
            if (made == null)
            {
                return null;
            }

            pulse = new Pulse(made);
        }

        pulse.Target = of;
        pulse.IsThere = false;
        pulse.Next = null;
        Take();
        if (s_first == null)
        {
            s_first = pulse;
        }
        else
        {
            Pulse last = s_first;
            while (last.Next != null)
            {
                last = last.Next;
            }

            last.Next = pulse;
        }

        Interlocked.Increment(ref s_table->Pulsed);
        Give();
        return pulse;
    }

    // Takes the thread out again. Whether it got a pulse.
    private static bool Forget(Pulse pulse)
    {
        Take();
        if (ReferenceEquals(s_first, pulse))
        {
            s_first = pulse.Next;
        }
        else
        {
            Pulse before = s_first!;
            while (!ReferenceEquals(before.Next, pulse))
            {
                before = before.Next!;
            }

            before.Next = pulse.Next;
        }

        bool isThere = pulse.IsThere;
        pulse.Target = null;
        pulse.Next = s_kept;
        s_kept = pulse;
        Interlocked.Decrement(ref s_table->Pulsed);
        Give();
        return isThere;
    }

    // The end of a wait of so many milliseconds, or none for -1.
    private readonly struct Limit
    {
        private readonly long _until;

        public Limit(int time)
        {
            _until = time < 0 ? long.MaxValue : Stopwatch.GetTimestamp() + time * (Stopwatch.Frequency / 1000);
        }

        public bool IsOver(out int left)
        {
            left = -1;
            if (_until != long.MaxValue)
            {
                long ticks = _until - Stopwatch.GetTimestamp();
                long one = Stopwatch.Frequency / 1000;
                left = (int)Math.Max(0, (ticks + one - 1) / one);
            }

            return left == 0;
        }
    }
}
