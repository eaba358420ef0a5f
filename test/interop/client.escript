#!/usr/bin/env escript
%% Frames with Erlang's own {packet, N}: N bytes of length, big-endian, then the payload; gen_tcp does it all.
main([Path, Bytes, Count]) ->
    {ok, Socket} = gen_tcp:connect({local, Path}, 0,
        [local, binary, {packet, list_to_integer(Bytes)}, {active, false}], 5000),
    io:setopts([binary]),
    {ok, Payload} = read(<<>>),
    lists:foreach(fun(_) ->
        ok = gen_tcp:send(Socket, Payload),
        {ok, Reply} = gen_tcp:recv(Socket, 0, 5000),
        ok = file:write(standard_io, Reply)
    end, lists:seq(1, list_to_integer(Count))),
    ok = gen_tcp:close(Socket).

read(Sofar) ->
    case file:read(standard_io, 65536) of
        {ok, Data} -> read(<<Sofar/binary, Data/binary>>);
        eof -> {ok, Sofar}
    end.
