-- Asks Domicile about a request, for haproxy.cfg: http-request lua.domicile URL CREDENTIAL. An allowed request gets the headers with
-- the identity; a denied one gets the answer of Domicile.

local asked_with = { "authorization", "x-api-key", "cookie" }
local shown = { "www-authenticate", "retry-after", "domicile-reason" }

core.register_action("domicile", { "http-req" }, function(txn, url, credential)
    local sent = txn.http:req_get_headers()
    local headers = { ["x-domicile-service"] = { credential }, ["x-forwarded-for"] = { txn.f:src() } }
    for _, name in ipairs(asked_with) do
        if sent[name] then
            headers[name] = {}
            for at = 0, #sent[name] do
                headers[name][at + 1] = sent[name][at]
            end
        end
    end
    local answer = core.httpclient():get({ url = url, headers = headers, timeout = 5000 })
    if answer == nil or answer.status == 0 or answer.status >= 500 then
        local reply = txn:reply({ status = 503 })
        txn:done(reply)
    elseif answer.status == 200 then
        for name, values in pairs(answer.headers) do
            if string.find(name, "^domicile%-") or string.find(name, "^remote%-") then
                txn.http:req_set_header(name, values[0])
            end
        end
    else
        local reply = txn:reply({ status = answer.status })
        for _, name in ipairs(shown) do
            if answer.headers[name] then
                reply:add_header(name, answer.headers[name][0])
            end
        end
        txn:done(reply)
    end
end, 2)
